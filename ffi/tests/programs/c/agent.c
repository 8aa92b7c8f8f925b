/* agent FOLDER: members inside of this process. */

#define _XOPEN_SOURCE 700

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"

static const char *folder;

static muster_agent *start(const char *name, const char *more) {
    char settings[1024];
    snprintf(settings, sizeof settings,
             "name = \"%s\"\ncluster = \"test\"\nbind = \"127.0.0.1:0\"\npreset = \"local\"\n"
             "socket = \"%s/%s.sock\"\n%s",
             name, folder, name, more);
    muster_agent *agent = NULL;
    OK(muster_agent_start(settings, 20000, &agent, &error));
    return agent;
}

static muster_client *client_of(const muster_agent *agent) {
    muster_client *client = NULL;
    OK(muster_client_open(muster_agent_socket(agent), 0, &client, &error));
    return client;
}

/* Takes events until one of that kind about that member comes. */
static muster_event *await_member(muster_events *events, muster_kind kind, const char *name) {
    muster_event *event = await_kind(events, kind);
    while (strcmp(muster_member_name(muster_event_member(event)), name) != 0) {
        muster_event_free(event);
        event = await_kind(events, kind);
    }
    return event;
}

static void settings(void) {
    muster_agent *agent = NULL;
    muster_error *error = NULL;
    muster_status status =
        muster_agent_start("name = \"x\"\nprobes = 3\nperiod = \"0s\"\n", 1000, &agent, &error);
    CHECK(status == MUSTER_STATUS_SETTINGS && agent == NULL);
    CHECK(strstr(muster_error_message(error), "settings:2:1") != NULL);
    CHECK(strstr(muster_error_message(error), "settings:3:") != NULL);
    muster_error_free(error);
    EXPECT(MUSTER_STATUS_AGENT_FAILED,
           muster_agent_start("name = \"x\"\nbind = \"127.0.0.1:0\"\nsocket = \"/nowhere/x.sock\"\n",
                              5000, &agent, &error));
}

static void seed_of(const muster_client *client, char *seed, size_t size) {
    muster_members *members = NULL;
    OK(muster_client_members(client, NULL, 5000, &members, &error));
    snprintf(seed, size, "join = [\"%s\"]\n", muster_member_addr(muster_members_at(members, 0)));
    muster_members_free(members);
}

static volatile sig_atomic_t signals;

static void on_signal(int number) {
    (void)number;
    signals++;
}

/* Asks for events and goes away: whoever writes to such a peer gets SIGPIPE by default. */
static void hang_up(const char *path) {
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    const char request[] = "GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n";
    char answer[16];
    CHECK(write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    CHECK(read(fd, answer, sizeof answer) > 0);
    close(fd);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    folder = argv[1];
    settings();

    muster_agent *first = start("a", "");
    muster_client *client = client_of(first);
    char seed[128];
    seed_of(client, seed, sizeof seed);
    muster_events *events = NULL;
    OK(muster_client_watch(client, NULL, NULL, &events, &error));
    OK(muster_agent_check(first, &error));

    /* Signals stay this program's. */
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGTERM, &action, NULL) == 0);
    CHECK(kill(getpid(), SIGTERM) == 0 && signals == 1);
    OK(muster_agent_check(first, &error));
    for (int i = 0; i < 20; i++) {
        hang_up(muster_agent_socket(first));
        OK(muster_client_set_tag(client, "i", i % 2 ? "odd" : "even", 5000, &error));
    }

    /* One that is stopped has left. */
    muster_agent *second = start("b", seed);
    muster_event_free(await_member(events, MUSTER_KIND_MEMBER_UP, "b"));
    OK(muster_agent_stop(second, 20000, &error));
    EXPECT(MUSTER_STATUS_AGENT_ENDED, muster_agent_check(second, &error));
    OK(muster_agent_stop(second, 20000, &error));
    muster_agent_free(second);
    muster_event_free(await_member(events, MUSTER_KIND_MEMBER_LEFT, "b"));

    /* One that is freed is found dead. */
    muster_agent *third = start("c", seed);
    muster_event_free(await_member(events, MUSTER_KIND_MEMBER_UP, "c"));
    muster_agent_free(third);
    muster_event *event = await_member(events, MUSTER_KIND_MEMBER_DEAD, "c");
    CHECK(strcmp(muster_event_detail(event, "cause"), "convicted") == 0);
    muster_event_free(event);

    /* The socket of one that lives is not taken. */
    char settings[256];
    snprintf(settings, sizeof settings,
             "name = \"d\"\nbind = \"127.0.0.1:0\"\nsocket = \"%s/a.sock\"\n", folder);
    EXPECT(MUSTER_STATUS_AGENT_FAILED, muster_agent_start(settings, 5000, &third, &error));

    /* A leave over the socket ends it as well. */
    OK(muster_client_leave(client, 20000, &error));
    OK(muster_agent_stop(first, 20000, &error));
    muster_events_free(events);
    muster_client_free(client);
    muster_agent_free(first);
    return 0;
}
