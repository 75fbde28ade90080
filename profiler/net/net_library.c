// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/net/net_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The same library against different ones for TLS. GnuTLS first: libdebuginfod uses that one, too. */
static const char *const sonames[] = {"libcurl-gnutls.so.4", "libcurl.so.4"};

#define SYMBOLS(X)                                                                                 \
	X(global_init)                                                                             \
	X(version_info)                                                                            \
	X(easy_init)                                                                               \
	X(easy_setopt)                                                                             \
	X(easy_getinfo)                                                                            \
	X(easy_cleanup)                                                                            \
	X(easy_strerror)                                                                           \
	X(slist_append)                                                                            \
	X(slist_free_all)                                                                          \
	X(multi_init)                                                                              \
	X(multi_setopt)                                                                            \
	X(multi_add_handle)                                                                        \
	X(multi_remove_handle)                                                                     \
	X(multi_perform)                                                                           \
	X(multi_poll)                                                                              \
	X(multi_info_read)                                                                         \
	X(multi_cleanup)

static void *open_library(const char *soname)
{
	void *handle = NULL;

	if (soname)
		return dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; i < sizeof(sonames) / sizeof(*sonames) && !handle; i++)
		handle = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);
	return handle;
}

/* The name of a symbol that is not there, or NULL. */
static const char *find_symbols(struct net_library *lib, void *handle)
{
	const struct {
		const char *name;
		size_t at;
	} symbols[] = {
#define X(name) {"curl_" #name, offsetof(struct net_library, name)},
		SYMBOLS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		void *symbol = dlsym(handle, symbols[i].name);

		if (!symbol)
			return symbols[i].name;
		memcpy((char *)lib + symbols[i].at, &symbol, sizeof(symbol));
	}
	return NULL;
}

int net_library_load(struct net_library *lib, const char *soname, struct why *why)
{
	void *handle = open_library(soname);
	const struct curl_version *version;
	const char *missing;

	*lib = (struct net_library){0};
	if (!handle)
		return why_say(why, -ENOSYS,
			       "that needs libcurl, which is not here: install libcurl4 (Debian), "
			       "libcurl (Fedora)");
	missing = find_symbols(lib, handle);
	if (missing) {
		dlclose(handle);
		return why_say(why, -ENOSYS,
			       "that needs libcurl 7.66 or newer: the one here has no %s()",
			       missing);
	}
	/* It stays loaded: what it starts does not end with it. */
	version = lib->version_info(0);
	if (!version || lib->global_init(GLOBAL_ALL))
		return why_say(why, -ENOSYS, "libcurl does not start");
	lib->version = version->version;
	lib->has_libz = version->features & FEATURE_LIBZ;
	lib->has_http2 = version->features & FEATURE_HTTP2;
	return 0;
}
