// owners SOCKET: the header for C++.

#include <cstdlib>
#include <iostream>

#include <muster.hpp>

static void check(bool claim, const char *what) {
    if (!claim) {
        std::cerr << "not so: " << what << "\n";
        std::exit(1);
    }
}

int main(int, char **argv) {
    try {
        muster::client nobody("/nowhere/muster.sock");
        check(false, "nobody is there");
    } catch (const muster::error &error) {
        check(error.status() == MUSTER_STATUS_NO_AGENT, "the status is kept");
        check(std::string(error.what()).find("/nowhere/") != std::string::npos, "the message, too");
    }
    muster::client client(argv[1]);
    muster::members members = client.members();
    check(muster_members_count(members.get()) == 1, "one member");
    muster::events events = client.watch(muster_members_cursor(members.get()), "member-updated");
    client.set_tag("k", "v");
    std::optional<muster::event> event = events.wait(muster::milliseconds{10000});
    check(event.has_value(), "an event came");
    check(std::string(muster_event_type(event->get())) == "member-updated", "of that type");
    check(!events.next().has_value(), "no other");
    check(!events.wait(muster::milliseconds{10}).has_value(), "nor a moment later");
    check(client.coordinator(muster::milliseconds{20000}) != nullptr, "somebody decides");
    try {
        client.request("GET", "/v1/members/nobody");
        check(false, "there is nobody");
    } catch (const muster::error &error) {
        check(error.problem() == "urn:muster:problem:no-such-member", "the problem's id");
    }
    try {
        muster::agent agent("period = 3");
        check(false, "these are no settings");
    } catch (const muster::error &error) {
        check(error.status() == MUSTER_STATUS_SETTINGS, "settings");
    }
    return 0;
}
