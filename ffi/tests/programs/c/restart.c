/* restart SOCKET: the agent is killed and started again while this watches: says what it sees. */

#include "check.h"

int main(int argc, char **argv) {
    CHECK(argc == 2);
    muster_client *client = NULL;
    muster_events *events = NULL;
    OK(muster_client_open(argv[1], 0, &client, &error));
    OK(muster_client_watch(client, NULL, NULL, &events, &error));
    int fd = muster_events_fd(events);
    muster_event *event = NULL;
    EXPECT(MUSTER_STATUS_TIMEOUT, muster_events_wait(events, 300, &event, &error));
    CHECK(muster_events_is_connected(events));
    for (int life = 0; life < 2; life++) {
        printf("watching\n");
        fflush(stdout);
        event = await_kind(events, MUSTER_KIND_RESET);
        CHECK(strcmp(muster_event_detail(event, "reason"), "other-origin") == 0);
        CHECK(muster_members_find(muster_event_members(event), "n1") != NULL);
        CHECK(muster_events_fd(events) == fd && muster_events_is_connected(events));
        muster_event_free(event);
    }
    printf("done\n");
    fflush(stdout);
    /* Whatever comes next comes here, too. */
    OK(muster_client_set_tag(client, "after", "all", 5000, &error));
    muster_event_free(await_kind(events, MUSTER_KIND_MEMBER_UPDATED));
    muster_events_free(events);
    muster_client_free(client);
    return 0;
}
