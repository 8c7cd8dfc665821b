// Gives Swift the C interface of libmicrohttpd, and says what to install where it is missing.
#pragma once
#if !__has_include(<microhttpd.h>)
#error "libmicrohttpd is missing: apt install libmicrohttpd-dev  |  brew install libmicrohttpd"
#endif
#include <microhttpd.h>

// Serves a listening socket on a thread of libmicrohttpd's own. MHD_start_daemon itself takes a variable number of arguments, which
// Swift cannot pass. It waits by poll: with epoll, version 0.9.75 does not notice a client that goes away right after it has sent
// a part of a body.
static inline struct MHD_Daemon *start_daemon(int socket, unsigned connection_limit, unsigned idle_seconds,
                                              MHD_AccessHandlerCallback handle,
                                              MHD_RequestCompletedCallback completed, void *context) {
  return MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                          handle, context, MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_CONNECTION_LIMIT,
                          connection_limit, MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds, MHD_OPTION_NOTIFY_COMPLETED,
                          completed, context, MHD_OPTION_END);
}
