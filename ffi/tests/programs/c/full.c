/* full SOCKET: an agent that keeps 16 events, and a reader that takes none for long. */

#include "check.h"

enum { CHANGES = 3000 };

int main(int argc, char **argv) {
    CHECK(argc == 2);
    muster_client *client = NULL;
    muster_events *events = NULL;
    muster_event *event = NULL;
    OK(muster_client_open(argv[1], 0, &client, &error));
    OK(muster_client_watch(client, NULL, NULL, &events, &error));
    EXPECT(MUSTER_STATUS_TIMEOUT, muster_events_wait(events, 100, &event, &error));
    char text[400];
    memset(text, 'x', sizeof text);
    for (int value = 1; value <= CHANGES; value++) {
        snprintf(text, sizeof text, "%d", value);
        text[strlen(text)] = ' ';
        text[sizeof text - 1] = 0;
        OK(muster_client_set_tag(client, "n", text, 5000, &error));
    }
    int last = 0, resets = 0, seen = 0;
    while (last < CHANGES) {
        OK(muster_events_wait(events, 10000, &event, &error));
        const muster_member *member = muster_event_member(event);
        if (muster_event_kind(event) == MUSTER_KIND_RESET) {
            CHECK(strcmp(muster_event_detail(event, "reason"), "too-old") == 0);
            member = muster_members_find(muster_event_members(event), "n1");
            resets++;
        }
        if (member != NULL && muster_member_tag(member, "n") != NULL) {
            int value = atoi(muster_member_tag(member, "n"));
            CHECK(value >= last); /* never back, and no gap without a reset */
            CHECK(value <= last + 1 || muster_event_kind(event) == MUSTER_KIND_RESET);
            last = value;
        }
        seen++;
        muster_event_free(event);
    }
    CHECK(resets >= 1 && seen < CHANGES);
    muster_events_free(events);
    muster_client_free(client);
    return 0;
}
