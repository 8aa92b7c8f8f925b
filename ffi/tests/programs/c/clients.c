/* clients SOCKET: a hundred clients in one loop, and one client in eight threads. */

#define _XOPEN_SOURCE 700

#include <poll.h>
#include <pthread.h>

#include "check.h"

enum { CLIENTS = 100, THREADS = 8 };

static void *ask(void *client) {
    for (int i = 0; i < 20; i++) {
        muster_members *members = NULL;
        OK(muster_client_members(client, NULL, 20000, &members, &error));
        CHECK(muster_members_count(members) == 1);
        muster_members_free(members);
    }
    return NULL;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    muster_client *clients[CLIENTS];
    muster_events *events[CLIENTS];
    struct pollfd descriptors[CLIENTS];
    int got[CLIENTS] = {0}, done = 0;
    for (int i = 0; i < CLIENTS; i++) {
        OK(muster_client_open(argv[1], 0, &clients[i], &error));
        muster_members *members = NULL;
        OK(muster_client_members(clients[i], NULL, 20000, &members, &error));
        OK(muster_client_watch(clients[i], muster_members_cursor(members), "app-up", &events[i],
                               &error));
        muster_members_free(members);
        descriptors[i].fd = muster_events_fd(events[i]);
        descriptors[i].events = POLLIN;
    }
    muster_attached *app = NULL;
    OK(muster_client_attach(clients[0], "web", NULL, 5000, &app, &error));
    while (done < CLIENTS) {
        CHECK(poll(descriptors, CLIENTS, 20000) > 0);
        for (int i = 0; i < CLIENTS; i++) {
            muster_event *event = NULL;
            if ((descriptors[i].revents & POLLIN) != 0 &&
                muster_events_next(events[i], &event, NULL) == MUSTER_STATUS_OK) {
                CHECK(strcmp(muster_event_detail(event, "app"), "web") == 0);
                CHECK(got[i]++ == 0);
                done++;
            }
            muster_event_free(event);
        }
    }
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, ask, clients[0]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    muster_attached_free(app);
    for (int i = 0; i < CLIENTS; i++) {
        muster_events_free(events[i]);
        muster_client_free(clients[i]);
    }
    return 0;
}
