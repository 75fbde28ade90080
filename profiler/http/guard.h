/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may ask: pure functions over a request's headers. */
#ifndef KILN_HTTP_GUARD_H
#define KILN_HTTP_GUARD_H

#include <stdbool.h>

/*
 * Whether a Host header names this host: localhost, 127.0.0.1, [::1] or one of `hosts`, with or without
 * a port. A page of a foreign name that resolves to 127.0.0.1 cannot read answers thereby (DNS
 * rebinding). host may be NULL.
 */
bool guard_host(const char *host, const char *const *hosts);

/* Whether an Authorization header bears the token, or has it as the password of any user: browsers and go
 * tool pprof know Basic alone. Takes the same time wherever the token differs. authorization may be NULL. */
bool guard_token(const char *authorization, const char *token);

/*
 * Whether a request may start work: a profile of now. Any page can make a browser ask, without Referer and Origin. A
 * browser says itself whether it was a foreign one (Sec-Fetch-Site), but not an old browser, and none to http: but of
 * this machine. So what is a browser by its User-Agent, which pages cannot choose, and does not say that, may not.
 * Programs say neither. Both may be NULL.
 */
bool guard_work(const char *fetch_site, const char *user_agent);

#endif
