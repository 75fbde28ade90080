/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The used part of libcurl, loaded at run time. */
#ifndef KILN_NET_NET_LIBRARY_H
#define KILN_NET_NET_LIBRARY_H

#include <stdbool.h>

#include "profiler/base/why.h"

/* Numbers of <curl/curl.h> and <curl/multi.h>: they are the same in all versions of libcurl.so.4. */
enum {
	OPT_LOW_SPEED_LIMIT = 19,
	OPT_LOW_SPEED_TIME = 20,
	OPT_SSLVERSION = 32,
	OPT_VERBOSE = 41,
	OPT_NOPROGRESS = 43,
	OPT_POST = 47,
	OPT_NETRC = 51,
	OPT_FOLLOWLOCATION = 52,
	OPT_HTTPPROXYTUNNEL = 61,
	OPT_FRESH_CONNECT = 74,
	OPT_FORBID_REUSE = 75,
	OPT_HTTPGET = 80,
	OPT_HTTP_VERSION = 84,
	OPT_NOSIGNAL = 99,
	OPT_TIMEOUT_MS = 155,
	OPT_CONNECTTIMEOUT_MS = 156,
	OPT_PROTOCOLS = 181,
	OPT_REDIR_PROTOCOLS = 182,
	OPT_PATH_AS_IS = 234,
	OPT_SUPPRESS_CONNECT_HEADERS = 265,
	OPT_QUICK_EXIT = 322, /* since 7.87 */
	OPT_WRITEDATA = 10001,
	OPT_URL = 10002,
	OPT_PROXY = 10004,
	OPT_READDATA = 10009,
	OPT_ERRORBUFFER = 10010,
	OPT_POSTFIELDS = 10015,
	OPT_USERAGENT = 10018,
	OPT_HTTPHEADER = 10023,
	OPT_SSLCERT = 10025,
	OPT_HEADERDATA = 10029,
	OPT_CUSTOMREQUEST = 10036,
	OPT_XFERINFODATA = 10057,
	OPT_CAINFO = 10065,
	OPT_SSLKEY = 10087,
	OPT_DEBUGDATA = 10095,
	OPT_CAPATH = 10097,
	OPT_ACCEPT_ENCODING = 10102,
	OPT_PRIVATE = 10103,
	OPT_SOCKOPTDATA = 10149,
	OPT_SEEKDATA = 10168,
	OPT_USERNAME = 10173,
	OPT_PASSWORD = 10174,
	OPT_NOPROXY = 10177,
	OPT_CLOSESOCKETDATA = 10209,
	OPT_UNIX_SOCKET_PATH = 10231,
	OPT_WRITEFUNCTION = 20011,
	OPT_READFUNCTION = 20012,
	OPT_HEADERFUNCTION = 20079,
	OPT_DEBUGFUNCTION = 20094,
	OPT_SOCKOPTFUNCTION = 20148,
	OPT_SEEKFUNCTION = 20167,
	OPT_CLOSESOCKETFUNCTION = 20208,
	OPT_XFERINFOFUNCTION = 20219,
	OPT_POSTFIELDSIZE_LARGE = 30120,
	OPT_MAX_SEND_SPEED_LARGE = 30145,

	INFO_PRIVATE = 0x100015,
	INFO_RESPONSE_CODE = 0x200002,
	INFO_HTTP_CONNECTCODE = 0x200016,
	INFO_HTTP_VERSION = 0x20002e,
	INFO_LOCAL_PORT = 0x20002a,

	MOPT_PIPELINING = 3,
	MOPT_MAXCONNECTS = 6,

	PROTOCOL_HTTP = 1,
	PROTOCOL_HTTPS = 2,
	GLOBAL_ALL = 3,
	TLS_1_2 = 6,
	HTTP_1_1 = 2,
	HTTP_2 = 3,
	HTTP_2_TLS = 4,
	HTTP_2_PRIOR_KNOWLEDGE = 5,
	FEATURE_LIBZ = 1 << 3,
	FEATURE_HTTP2 = 1 << 16,
	TRACE_HEADER_IN = 1,
	TRACE_HEADER_OUT = 2,
	TRACE_DATA_IN = 3,
	TRACE_DATA_OUT = 4,
	MSG_DONE = 1,
	WAIT_POLLIN = 1,

	E_OK = 0,
	E_UNSUPPORTED_PROTOCOL = 1,
	E_URL_MALFORMAT = 3,
	E_NOT_BUILT_IN = 4,
	E_COULDNT_RESOLVE_PROXY = 5,
	E_COULDNT_RESOLVE_HOST = 6,
	E_COULDNT_CONNECT = 7,
	E_OUT_OF_MEMORY = 27,
	E_OPERATION_TIMEDOUT = 28,
	E_SSL_CONNECT_ERROR = 35,
	E_BAD_FUNCTION_ARGUMENT = 43,
	E_UNKNOWN_OPTION = 48,
	E_SEND_ERROR = 55,
	E_RECV_ERROR = 56,
	E_SSL_CERTPROBLEM = 58,
	E_SSL_CIPHER = 59,
	E_PEER_FAILED_VERIFICATION = 60,
	E_SSL_CACERT_BADFILE = 77,
	E_SSL_ISSUER_ERROR = 83,
	E_PROXY = 97,
	E_SSL_CLIENTCERT = 98,

	ERROR_SIZE = 256,
};

struct curl_msg {
	int msg;
	void *easy;
	union {
		void *whatever;
		int result;
	} data;
};

struct curl_waitfd {
	int fd;
	short events, revents;
};

/* The beginning of curl_version_info_data, which never changes. */
struct curl_version {
	int age;
	const char *version;
	unsigned version_num;
	const char *host;
	int features;
};

struct net_library {
	int (*global_init)(long);
	const struct curl_version *(*version_info)(int);
	void *(*easy_init)(void);
	int (*easy_setopt)(void *, int, ...);
	int (*easy_getinfo)(void *, int, ...);
	void (*easy_cleanup)(void *);
	const char *(*easy_strerror)(int);
	void *(*slist_append)(void *, const char *);
	void (*slist_free_all)(void *);
	void *(*multi_init)(void);
	int (*multi_setopt)(void *, int, ...);
	int (*multi_add_handle)(void *, void *);
	int (*multi_remove_handle)(void *, void *);
	int (*multi_perform)(void *, int *);
	int (*multi_poll)(void *, struct curl_waitfd *, unsigned, int, int *);
	struct curl_msg *(*multi_info_read)(void *, int *);
	int (*multi_cleanup)(void *);
	const char *version;
	bool has_libz, has_http2;
};

/* soname NULL: the usual ones. The library stays loaded. 0, or -ENOSYS with a sentence. */
int net_library_load(struct net_library *lib, const char *soname, struct why *why);

#endif
