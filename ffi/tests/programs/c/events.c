/* events SOCKET: the descriptor, waiting, signals, threads, fork. */

#define _XOPEN_SOURCE 700

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static muster_client *client;

static int readable(int fd, int timeout_ms) {
    struct pollfd descriptor = {.fd = fd, .events = POLLIN};
    return poll(&descriptor, 1, timeout_ms) == 1;
}

static void tag(int value) {
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    OK(muster_client_set_tag(client, "n", text, 5000, &error));
}

/* Every change comes, in order, and the descriptor says so as long as one is here. */
static void order(muster_events *events) {
    for (int value = 0; value < 50; value++) {
        tag(value);
    }
    muster_event *event = NULL;
    for (int value = 0; value < 50; value++) {
        CHECK(readable(muster_events_fd(events), 10000));
        muster_status status = muster_events_next(events, &event, NULL);
        while (status == MUSTER_STATUS_AGAIN) {
            CHECK(readable(muster_events_fd(events), 10000));
            status = muster_events_next(events, &event, NULL);
        }
        CHECK(status == MUSTER_STATUS_OK);
        CHECK(muster_event_kind(event) == MUSTER_KIND_MEMBER_UPDATED);
        CHECK(strcmp(muster_event_type(event), "member-updated") == 0);
        CHECK(atoi(muster_member_tag(muster_event_member(event), "n")) == value);
        CHECK(muster_event_members(event) == NULL && muster_event_view(event) > 0);
        CHECK(muster_event_epoch(event) > 0 && muster_event_time(event)[4] == '-');
        CHECK(strcmp(muster_event_detail(event, "type"), "member-updated") == 0);
        CHECK(muster_event_detail(event, "member") == NULL);
        CHECK(muster_event_detail(event, "cause") == NULL);
        CHECK(strstr(muster_event_json(event), "\"member-updated\"") != NULL);
        muster_event_free(event);
    }
    EXPECT(MUSTER_STATUS_AGAIN, muster_events_next(events, &event, &error));
    CHECK(event == NULL && !readable(muster_events_fd(events), 100));
    EXPECT(MUSTER_STATUS_TIMEOUT, muster_events_wait(events, 50, &event, &error));
    EXPECT(MUSTER_STATUS_TIMEOUT, muster_events_wait(events, 0, &event, &error));
    CHECK(muster_events_is_connected(events));
}

/* A stream goes on exactly after the cursor of another one. */
static void resume(muster_events *events) {
    muster_response *cursor = NULL;
    OK(muster_events_cursor(events, &cursor, &error));
    tag(100);
    tag(101);
    muster_events *second = NULL;
    muster_event *event = NULL;
    OK(muster_client_watch(client, muster_response_body(cursor), "member-updated,app-up", &second,
                           &error));
    muster_response_free(cursor);
    for (int value = 100; value < 102; value++) {
        OK(muster_events_wait(second, 10000, &event, &error));
        CHECK(atoi(muster_member_tag(muster_event_member(event), "n")) == value);
        muster_event_free(event);
        OK(muster_events_wait(events, 10000, &event, &error));
        muster_event_free(event);
    }
    muster_events_free(second);
    /* What the agent does not know is refused, by whichever call hears of it. */
    OK(muster_client_watch(client, NULL, "no-such-type", &second, &error));
    EXPECT(MUSTER_STATUS_REFUSED, muster_events_wait(second, 10000, &event, &error));
    muster_events_free(second);
    /* A cursor that was never given is a gap. */
    OK(muster_client_watch(client, "1.1", NULL, &second, &error));
    event = await_kind(second, MUSTER_KIND_RESET);
    CHECK(muster_event_member(event) == NULL);
    CHECK(muster_members_count(muster_event_members(event)) == 1);
    CHECK(strcmp(muster_event_detail(event, "reason"), "other-origin") == 0);
    muster_event_free(event);
    muster_events_free(second);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number) {
    (void)number;
    alarms++;
}

static void every(long microseconds) {
    struct itimerval timer = {.it_interval = {0, microseconds}, .it_value = {0, microseconds}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void signals(muster_events *events) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    muster_event *event = NULL;
    every(20000);
    EXPECT(MUSTER_STATUS_INTERRUPTED, muster_events_wait(events, 10000, &event, &error));
    CHECK(alarms > 0);
    /* Questions are not disturbed. */
    for (int value = 0; value < 200; value++) {
        tag(value);
    }
    every(0);
    for (int value = 0; value < 200; value++) {
        OK(muster_events_wait(events, 10000, &event, &error));
        CHECK(atoi(muster_member_tag(muster_event_member(event), "n")) == value);
        muster_event_free(event);
    }
}

static void *wait_long(void *events) {
    muster_event *event = NULL;
    muster_status status = MUSTER_STATUS_BUSY; /* as long as the other one is faster */
    while (status == MUSTER_STATUS_BUSY) {
        status = muster_events_wait(events, 30000, &event, NULL);
    }
    CHECK(status == MUSTER_STATUS_OK);
    muster_event_free(event);
    return NULL;
}

static void threads(muster_events *events) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wait_long, events) == 0);
    muster_event *event = NULL;
    muster_status status = MUSTER_STATUS_AGAIN;
    for (time_t start = time(NULL); status == MUSTER_STATUS_AGAIN && time(NULL) < start + 20;) {
        status = muster_events_next(events, &event, NULL);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* so that the other one gets it */
    }
    CHECK(status == MUSTER_STATUS_BUSY && event == NULL);
    EXPECT(MUSTER_STATUS_BUSY, muster_events_wait(events, 0, &event, &error));
    tag(7);
    CHECK(pthread_join(thread, NULL) == 0);
    /* Afterwards this thread may have it again. */
    EXPECT(MUSTER_STATUS_AGAIN, muster_events_next(events, &event, &error));
}

static void forking(muster_events *events) {
    muster_call *call = NULL;
    OK(muster_client_call(client, "GET", "/v1/status", NULL, NULL, &call, &error));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        muster_event *event = NULL;
        muster_response *response = NULL;
        CHECK(muster_events_fd(events) == -1 && muster_call_fd(call) == -1);
        EXPECT(MUSTER_STATUS_WRONG_PROCESS, muster_events_next(events, &event, &error));
        EXPECT(MUSTER_STATUS_WRONG_PROCESS, muster_call_take(call, &response, &error));
        muster_events_free(events);
        muster_call_free(call);
        tag(8); /* the client is good here, too */
        muster_client_free(client);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        CHECK(errno == EINTR);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The child took nothing away. */
    muster_event *event = NULL;
    OK(muster_events_wait(events, 10000, &event, &error));
    CHECK(atoi(muster_member_tag(muster_event_member(event), "n")) == 8);
    muster_event_free(event);
    muster_response *response = NULL;
    muster_status taken = MUSTER_STATUS_AGAIN;
    while (taken == MUSTER_STATUS_AGAIN) {
        CHECK(readable(muster_call_fd(call), 10000));
        taken = muster_call_take(call, &response, NULL);
    }
    CHECK(taken == MUSTER_STATUS_OK && muster_response_http_status(response) == 200);
    muster_response_free(response);
    EXPECT(MUSTER_STATUS_INVALID_ARGUMENT, muster_call_take(call, &response, &error));
    muster_call_free(call);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    OK(muster_client_open(argv[1], 0, &client, &error));
    muster_coordinator *coordinator = NULL; /* so that all is agreed that is to be agreed */
    OK(muster_client_coordinator(client, 30000, &coordinator, &error));
    muster_coordinator_free(coordinator);
    muster_members *members = NULL;
    muster_events *events = NULL;
    OK(muster_client_members(client, NULL, 5000, &members, &error));
    OK(muster_client_watch(client, muster_members_cursor(members), "member-updated", &events,
                           &error));
    muster_members_free(members);
    order(events);
    resume(events);
    signals(events);
    threads(events);
    forking(events);
    muster_events_free(events);
    muster_client_free(client);
    return 0;
}
