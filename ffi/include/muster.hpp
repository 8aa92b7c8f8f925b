// Muster for C++17: muster.h with owners. What fails throws muster::error; what is freed in C is freed
// by its owner. Handles are what they are in C: ask them with the functions of muster.h, by get().

#ifndef MUSTER_HPP
#define MUSTER_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "muster.h"

namespace muster {

using milliseconds = std::chrono::milliseconds;

// As long as it takes.
inline constexpr milliseconds forever{-1};

// What went wrong: status() is stable, what() says what to do.
class error : public std::runtime_error {
public:
  explicit error(muster_status status, muster_error *owned = nullptr)
      : std::runtime_error(message(status, owned)), status_(status) {
    if (const char *problem = muster_error_problem(owned)) {
      problem_ = problem;
    }
    muster_error_free(owned);
  }

  muster_status status() const noexcept { return status_; }

  // Of MUSTER_STATUS_REFUSED: such as urn:muster:problem:no-such-member; else empty.
  const std::string &problem() const noexcept { return problem_; }

private:
  static std::string message(muster_status status, const muster_error *error) {
    const char *text = muster_error_message(error);
    return text != nullptr ? text : muster_status_text(status);
  }

  muster_status status_;
  std::string problem_;
};

// A handle that is freed with its owner.
template <typename Handle, void (*Free)(Handle *)> struct freeing {
  void operator()(Handle *handle) const noexcept { Free(handle); }
};
template <typename Handle, void (*Free)(Handle *)>
using owner = std::unique_ptr<Handle, freeing<Handle, Free>>;

using event = owner<muster_event, muster_event_free>;
using member = owner<muster_member, muster_member_free>;
using members = owner<muster_members, muster_members_free>;
using response = owner<muster_response, muster_response_free>;
using coordinator = owner<muster_coordinator, muster_coordinator_free>;
using attached = owner<muster_attached, muster_attached_free>;

namespace detail {
// Calls a function with a status, whose last two arguments are where a handle and an error go.
template <typename Owner, typename Function, typename... Arguments>
Owner made(Function function, Arguments... arguments) {
  typename Owner::pointer handle = nullptr;
  muster_error *failed = nullptr;
  const muster_status status = function(arguments..., &handle, &failed);
  if (status != MUSTER_STATUS_OK) {
    throw error(status, failed);
  }
  return Owner(handle);
}

template <typename Function, typename... Arguments>
void done(Function function, Arguments... arguments) {
  muster_error *failed = nullptr;
  const muster_status status = function(arguments..., &failed);
  if (status != MUSTER_STATUS_OK) {
    throw error(status, failed);
  }
}

inline const char *text(const std::string &text) {
  return text.empty() ? nullptr : text.c_str();
}
} // namespace detail

// A stream of events. One thread at a time.
class events {
public:
  explicit events(muster_events *owned) : handle_(owned) {}

  int fd() const noexcept { return muster_events_fd(handle_.get()); }

  // The next event, if one is here.
  std::optional<event> next() {
    return taken([&](muster_event **event, muster_error **failed) {
      return muster_events_next(handle_.get(), event, failed);
    });
  }

  // The next event; nothing after that time, or when a signal came.
  std::optional<event> wait(milliseconds timeout = forever) {
    return taken([&](muster_event **event, muster_error **failed) {
      return muster_events_wait(handle_.get(), timeout.count(), event, failed);
    });
  }

  muster_events *get() const noexcept { return handle_.get(); }

private:
  template <typename Function> std::optional<event> taken(Function function) {
    muster_event *handle = nullptr;
    muster_error *failed = nullptr;
    const muster_status status = function(&handle, &failed);
    switch (status) {
    case MUSTER_STATUS_OK:
      return event(handle);
    case MUSTER_STATUS_AGAIN:
    case MUSTER_STATUS_TIMEOUT:
    case MUSTER_STATUS_INTERRUPTED:
      return std::nullopt;
    default:
      throw error(status, failed);
    }
  }

  owner<muster_events, muster_events_free> handle_;
};

// A way to one agent. Any number of threads at once.
class client {
public:
  // An empty path: the usual places.
  explicit client(const std::string &socket = {}, milliseconds timeout = milliseconds{0})
      : handle_(detail::made<decltype(handle_)>(muster_client_open, detail::text(socket),
                                                std::int64_t{timeout.count()})) {}

  muster::members members(const std::string &query = {},
                          milliseconds timeout = milliseconds{10000}) const {
    return detail::made<muster::members>(muster_client_members, get(), detail::text(query),
                                         std::int64_t{timeout.count()});
  }

  // An empty cursor: from what comes next. Empty types: all.
  events watch(const std::string &since = {}, const std::string &types = {}) const {
    using handle = owner<muster_events, muster_events_free>;
    return events(detail::made<handle>(muster_client_watch, get(), detail::text(since),
                                       detail::text(types))
                      .release());
  }

  muster::coordinator coordinator(milliseconds timeout = milliseconds{10000}) const {
    return detail::made<muster::coordinator>(muster_client_coordinator, get(),
                                             std::int64_t{timeout.count()});
  }

  muster::attached attach(const std::string &app, const std::string &body = {},
                          milliseconds timeout = milliseconds{10000}) const {
    return detail::made<muster::attached>(muster_client_attach, get(), app.c_str(),
                                          detail::text(body), std::int64_t{timeout.count()});
  }

  muster::response request(const std::string &method, const std::string &path,
                           const std::string &body = {}, const std::string &content_type = {},
                           milliseconds timeout = milliseconds{10000}) const {
    return detail::made<muster::response>(
        muster_client_request, get(), method.c_str(), path.c_str(), detail::text(content_type),
        detail::text(body), std::int64_t{timeout.count()});
  }

  void set_tag(const std::string &key, const std::string &value,
               milliseconds timeout = milliseconds{10000}) const {
    detail::done(muster_client_set_tag, get(), key.c_str(), value.c_str(),
                 std::int64_t{timeout.count()});
  }

  void leave(milliseconds timeout = milliseconds{65000}) const {
    detail::done(muster_client_leave, get(), std::int64_t{timeout.count()});
  }

  const muster_client *get() const noexcept { return handle_.get(); }

private:
  owner<muster_client, muster_client_free> handle_;
};

// A member inside of this process. Destroyed without stop(), it ends without a goodbye.
class agent {
public:
  explicit agent(const std::string &settings = {}, milliseconds timeout = milliseconds{30000})
      : handle_(detail::made<decltype(handle_)>(muster_agent_start, settings.c_str(),
                                                std::int64_t{timeout.count()})) {}

  std::string socket() const { return muster_agent_socket(handle_.get()); }

  void stop(milliseconds timeout = milliseconds{65000}) const {
    detail::done(muster_agent_stop, static_cast<const muster_agent *>(handle_.get()),
                 std::int64_t{timeout.count()});
  }

  const muster_agent *get() const noexcept { return handle_.get(); }

private:
  owner<muster_agent, muster_agent_free> handle_;
};

} // namespace muster

#endif // MUSTER_HPP
