/* Prints who is there, and then what happens to whom: cc watch.c $(pkg-config --cflags --libs muster) */

#include <stdio.h>
#include <stdlib.h>

#include <muster.h>

static int failed(muster_error *error) {
    fprintf(stderr, "watch: %s\n", muster_error_message(error));
    muster_error_free(error);
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const char *socket = argc > 1 ? argv[1] : NULL; /* NULL: the usual places */
    muster_error *error = NULL;
    muster_client *client = NULL;
    if (muster_client_open(socket, 0, &client, &error) != MUSTER_STATUS_OK) {
        return failed(error);
    }
    muster_members *members = NULL;
    if (muster_client_members(client, NULL, 10000, &members, &error) != MUSTER_STATUS_OK) {
        muster_client_free(client);
        return failed(error);
    }
    for (size_t i = 0; i < muster_members_count(members); i++) {
        const muster_member *member = muster_members_at(members, i);
        printf("%s is %s\n", muster_member_name(member), muster_member_state_text(member));
    }
    fflush(stdout);
    muster_events *events = NULL; /* they go on exactly where the list ends */
    muster_status status =
        muster_client_watch(client, muster_members_cursor(members), NULL, &events, &error);
    muster_members_free(members);
    while (status == MUSTER_STATUS_OK || status == MUSTER_STATUS_INTERRUPTED) {
        muster_event *event = NULL;
        status = muster_events_wait(events, -1, &event, &error);
        if (status == MUSTER_STATUS_OK) {
            const muster_member *member = muster_event_member(event); /* NULL for a reset */
            printf("%s %s\n", muster_event_type(event),
                   member != NULL ? muster_member_name(member) : "(all members anew)");
            fflush(stdout);
        }
        muster_event_free(event);
    }
    muster_events_free(events);
    muster_client_free(client);
    return failed(error);
}
