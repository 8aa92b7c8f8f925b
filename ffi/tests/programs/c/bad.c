/* bad FOLDER: what is not there, is not ours, is of another version, breaks off, or says no. */

#define _XOPEN_SOURCE 700

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"

/* A peer that answers each connection by the next of its lines, and then hangs up or keeps still. */
struct peer {
    char path[100];
    const char *answers[8]; /* NULL: close at once; "": say nothing and stay */
    atomic_int count;
    char requests[8][512];
    int listener;
    pthread_t thread;
};

static void *serve(void *argument) {
    struct peer *peer = argument;
    for (int i = 0; i < 8; i++) {
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        ssize_t length = read(fd, peer->requests[i], sizeof peer->requests[i] - 1);
        const char *answer = peer->answers[i];
        int stays = answer != NULL && *answer == 0;
        if (length > 0 && answer != NULL && send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) {
            stays = 0;
        }
        atomic_fetch_add(&peer->count, 1);
        if (stays) {
            char byte;
            while (read(fd, &byte, 1) > 0) {
            }
        }
        close(fd);
    }
    return NULL;
}

static const char *folder;

static void address_of(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    CHECK(strlen(path) < sizeof address->sun_path);
    memcpy(address->sun_path, path, strlen(path) + 1);
}

static void begin(struct peer *peer, const char *name) {
    struct sockaddr_un address;
    snprintf(peer->path, sizeof peer->path, "%s/%s", folder, name);
    address_of(peer->path, &address);
    atomic_store(&peer->count, 0);
    peer->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(peer->listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(peer->listener, 8) == 0);
    CHECK(pthread_create(&peer->thread, NULL, serve, peer) == 0);
}

static void end(struct peer *peer) {
    shutdown(peer->listener, SHUT_RDWR);
    close(peer->listener);
    CHECK(pthread_join(peer->thread, NULL) == 0);
}

#define PROBLEM(status, id)                                                                        \
    "HTTP/1.1 " status "\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\r\n"   \
    "{\"type\":\"urn:muster:problem:" id "\",\"title\":\"No\",\"status\":0,"                       \
    "\"detail\":\"this is why, and what to do\"}"
#define JSON(body)                                                                                 \
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n" body
#define EVENTS                                                                                     \
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
#define MEMBER                                                                                     \
    "{\"name\":\"n1\",\"addr\":\"1.2.3.4:5\",\"instance\":1,\"incarnation\":1,"                    \
    "\"state\":\"frozen\",\"verdict\":null,\"view\":0,\"since\":\"2026-01-01T00:00:00.000Z\"}"

/* What listing the members comes to at a peer that answers so. */
static void listing(const char *answer, muster_status expected, const char *says) {
    static int number;
    char name[16];
    snprintf(name, sizeof name, "p%d", number++);
    /* Opening connects once; whoever is another version is asked for it. */
    struct peer peer = {.answers = {NULL, answer, JSON("{\"version\":\"9.1.0\"}")}};
    begin(&peer, name);
    muster_client *client = NULL;
    muster_members *members = NULL;
    muster_error *error = NULL;
    OK(muster_client_open(peer.path, 0, &client, &error));
    muster_status status = muster_client_members(client, NULL, 300, &members, &error);
    if (status != expected || (says && !strstr(muster_error_message(error), says))) {
        fprintf(stderr, "%.60s: %s: %s\n", answer ? answer : "(closed)",
                muster_status_text((int)status), muster_error_message(error));
        exit(1);
    }
    CHECK(says == NULL || strstr(muster_error_message(error), peer.path) != NULL ||
          expected == MUSTER_STATUS_REFUSED);
    muster_error_free(error);
    muster_members_free(members);
    muster_client_free(client);
    end(&peer);
}

static void answers(void) {
    listing(NULL, MUSTER_STATUS_BROKEN, "did it stop?");
    listing("HTTP/1.1 200 OK\r\ncontent-le", MUSTER_STATUS_BROKEN, "did it stop?");
    listing("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"view\":", MUSTER_STATUS_BROKEN,
            "in the middle");
    listing("", MUSTER_STATUS_SILENT, "did not answer within 30");
    listing("220 mail.example ESMTP\r\n", MUSTER_STATUS_NOT_MUSTER, "not HTTP");
    listing("HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n\r\n{}",
            MUSTER_STATUS_NOT_MUSTER, "404");
    listing("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>", MUSTER_STATUS_NOT_MUSTER,
            "no JSON");
    listing("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            MUSTER_STATUS_NOT_MUSTER, "chunk");
    listing(PROBLEM("404 Not Found", "no-such-route"), MUSTER_STATUS_VERSION, "9.1.0");
    listing(JSON("{\"members\":[]}"), MUSTER_STATUS_VERSION, "9.1.0");
    listing(JSON("{\"view\":1,"), MUSTER_STATUS_VERSION, "update the older");
    listing(PROBLEM("503 Unavailable", "stopping"), MUSTER_STATUS_REFUSED, "what to do");
    /* Words and fields that are new are no error. */
    listing(JSON("{\"view\":1,\"epoch\":1,\"cursor\":\"1.1\",\"new\":{},\"members\":[" MEMBER "]}"),
            MUSTER_STATUS_OK, NULL);
}

static void paths(void) {
    muster_client *client = NULL;
    char path[200];
    snprintf(path, sizeof path, "%s/none.sock", folder);
    EXPECT(MUSTER_STATUS_NO_AGENT, muster_client_open(path, 0, &client, &error));
    EXPECT(MUSTER_STATUS_NO_AGENT, muster_client_open(path, 100, &client, &error));
    CHECK(setenv("MUSTER_SOCKET", path, 1) == 0);
    EXPECT(MUSTER_STATUS_NO_AGENT, muster_client_open(NULL, 0, &client, &error));
    CHECK(unsetenv("MUSTER_SOCKET") == 0);
    snprintf(path, sizeof path, "%s/file", folder);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fclose(file) == 0);
    EXPECT(MUSTER_STATUS_NOT_MUSTER, muster_client_open(path, 0, &client, &error));
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    EXPECT(MUSTER_STATUS_INVALID_ARGUMENT, muster_client_open(path, 0, &client, &error));
    /* A socket whose maker is gone. */
    struct sockaddr_un address;
    snprintf(path, sizeof path, "%s/stale.sock", folder);
    address_of(path, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    close(fd);
    EXPECT(MUSTER_STATUS_NO_AGENT, muster_client_open(path, 0, &client, &error));
    if (geteuid() == 0) {
        CHECK(chmod(path, 0600) == 0 && chmod(folder, 0755) == 0 && seteuid(65534) == 0);
        EXPECT(MUSTER_STATUS_DENIED, muster_client_open(path, 0, &client, &error));
        CHECK(seteuid(0) == 0);
    }
    CHECK(client == NULL);
}

/* It closes in the middle of an event, is away, says that it stops, and goes on: nothing is lost. */
static void stream(void) {
    const char first[] = EVENTS
        "id: 1.1\nevent: x\ndata: {\"type\":\"x\",\"cursor\":\"1.1\",\"time\":\"t\",\"view\":1,"
        "\"epoch\":1}\n\nid: 1.2\nevent: y\ndat";
    const char second[] = EVENTS
        "id: 1.2\nevent: y\ndata: {\"type\":\"y\",\"cursor\":\"1.2\",\"time\":\"t\",\"view\":1,"
        "\"epoch\":1}\n\n: still\nid: 1.7\n\n";
    struct peer peer = {.answers = {NULL, first, NULL, PROBLEM("503 Unavailable", "stopping"),
                                    second, "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\nx",
                                    PROBLEM("400 Bad Request", "invalid-request"), second}};
    begin(&peer, "stream");
    muster_client *client = NULL;
    muster_events *events = NULL;
    muster_event *event = NULL;
    OK(muster_client_open(peer.path, 0, &client, &error));
    OK(muster_client_watch(client, NULL, NULL, &events, &error));
    OK(muster_events_wait(events, 10000, &event, &error));
    CHECK(strcmp(muster_event_type(event), "x") == 0);
    CHECK(muster_event_kind(event) == MUSTER_KIND_OTHER);
    muster_event_free(event);
    OK(muster_events_wait(events, 10000, &event, &error));
    CHECK(strcmp(muster_event_cursor(event), "1.2") == 0);
    muster_event_free(event);
    for (int i = 2; i < 5; i++) {
        CHECK(strstr(peer.requests[i], "since=1.1 ") != NULL);
    }
    /* What does not pass by itself is told, each time, and trying goes on. */
    EXPECT(MUSTER_STATUS_NOT_MUSTER, muster_events_wait(events, 10000, &event, &error));
    CHECK(!muster_events_is_connected(events));
    CHECK(strstr(peer.requests[5], "since=1.7 ") != NULL);
    EXPECT(MUSTER_STATUS_REFUSED, muster_events_wait(events, 10000, &event, &error));
    OK(muster_events_wait(events, 10000, &event, &error));
    muster_event_free(event);
    muster_events_free(events);
    muster_client_free(client);
    end(&peer);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    folder = argv[1];
    paths();
    answers();
    stream();
    return 0;
}
