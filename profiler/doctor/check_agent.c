// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks an agent that is installed as a service: unit, configuration, store. */
#include "profiler/doctor/check_agent.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/host_share.h"
#include "profiler/agent/upload_role.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/doctor/agent_unit.h"
#include "profiler/doctor/doctor.h"
#include "profiler/store/as_owner.h"
#include "profiler/store/list.h"
#include "profiler/upload/delivery_status.h"

#define LOG_CURE	  "journalctl -u kiln-agent -n 20 says why"
#define SLACK_NS	  (60 * NS_PER_S) /* a start, or a restart */
#define LATE_WINDOWS	  3
#define DELIVERY_SLACK_NS (600 * NS_PER_S)
#define DAY_NS		  (24 * 3600 * (int64_t)NS_PER_S)
#define HOUR_NS		  (3600 * (int64_t)NS_PER_S)

/* --- unit -------------------------------------------------------------------------------------- */

static void add_not_running(struct doctor *d, const struct agent_unit *u)
{
	const char *state = strcmp(u->load, "loaded") ? u->load : u->active;
	bool failed = !strcmp(state, "failed");
	struct buf cure;

	if (!strcmp(u->load, "masked"))
		cure = doctor_cure("sudo systemctl unmask kiln-agent, then enable --now");
	else if (!strcmp(u->active, "inactive"))
		cure = doctor_cure("sudo systemctl enable --now kiln-agent");
	else
		cure = doctor_cure(LOG_CURE);
	doctor_add(d, FINDING_warn, "agent", &cure, "%s is %s%s%s", AGENT_UNIT, state,
		   failed ? ", reason: " : "", failed ? u->result : "");
}

void check_agent_unit(struct doctor *d, const struct agent_unit *u)
{
	struct buf cure;

	if (strcmp(u->active, "active")) {
		add_not_running(d, u);
		return;
	}
	if (u->restarts) {
		cure = doctor_cure(LOG_CURE);
		doctor_add(d, FINDING_warn, "agent", &cure,
			   "it runs, after %" PRIu64 " restart%s; %s", u->restarts,
			   u->restarts == 1 ? "" : "s", u->status);
		return;
	}
	if (strcmp(u->enabled, "enabled")) {
		cure = doctor_cure("sudo systemctl enable kiln-agent");
		doctor_add(d, FINDING_warn, "agent", &cure, "it runs, but not after the next boot");
		return;
	}
	doctor_add(d, FINDING_ok, "agent", NULL, "it runs%s%s", u->status[0] ? "; " : "",
		   u->status);
}

static void add_caps(struct buf *out, uint64_t mask, bool use)
{
	static const struct {
		const char *name, *use;
		int number;
	} known[] = {
#define X(name, number, use) {#name, use, number},
		CAPS(X)
#undef X
	};
	const char *between = "";

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!(mask & 1ull << known[i].number))
			continue;
		buf_printf(out, "%sCAP_", between);
		for (const char *s = known[i].name; *s; s++)
			buf_char(out, *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s);
		if (use)
			buf_printf(out, " (%s)", known[i].use);
		between = use ? ", " : " ";
	}
}

void check_agent_caps(struct doctor *d, const struct agent_unit *u)
{
	bool is_root = !u->user[0] || !strcmp(u->user, "root");
	uint64_t has = is_root ? u->bounding : u->ambient & u->bounding, all = 0;
	struct buf missing = {0}, cure = {0};

#define X(name, number, use) all |= 1ull << number;
	CAPS(X)
#undef X
	if (!is_root && !getpwnam(u->user)) {
		cure = doctor_cure("sudo adduser --system --group --no-create-home %s", u->user);
		doctor_add(d, FINDING_warn, "agent's user", &cure, "there is no user %s", u->user);
		return;
	}
	if (has == all) {
		doctor_add(d, FINDING_ok, "agent's user", NULL,
			   "%s, with the capabilities it needs", is_root ? "root" : u->user);
		return;
	}
	add_caps(&missing, all & ~has, true);
	cure = doctor_cure("sudo systemctl edit kiln-agent: [Service] AmbientCapabilities= and "
			   "CapabilityBoundingSet= with ");
	add_caps(&cure, all & ~has, false);
	doctor_add(d, FINDING_warn, "agent's user", &cure, "%s lacks %s",
		   is_root ? "root" : u->user, buf_cstr(&missing));
	buf_release(&missing);
}

/* --- configuration ------------------------------------------------------------------------------- */

struct config *check_agent_config(struct doctor *d, const char *path)
{
	const struct config_inputs in = {.path = path};
	struct config_errors errs = {0};
	struct config *config = NULL;
	struct buf cure;
	int err = config_load(&config, &in, &errs);

	if (!err) {
		doctor_add(d, FINDING_ok, "configuration", NULL, "%s is right",
			   path ?: CONFIG_DEFAULT_PATH);
	} else {
		const char *text = errs.text.len ? buf_cstr(&errs.text) : strerror(-err);

		cure = doctor_cure("kiln agent --check-config shows all that is wrong");
		doctor_add(d, FINDING_warn, "configuration", &cure, "%.*s",
			   (int)strcspn(text, "\n"), text);
		config = NULL;
	}
	buf_release(&errs.text);
	return config;
}

/* --- store --------------------------------------------------------------------------------------- */

/* As access(2), but for another user, by mode bits alone. */
static bool may_write(const struct stat *st, const struct passwd *user)
{
	if (!user || !user->pw_uid)
		return true; /* root */
	if (st->st_uid == user->pw_uid)
		return (st->st_mode & 0300) == 0300;
	if (st->st_gid == user->pw_gid)
		return (st->st_mode & 0030) == 0030;
	return (st->st_mode & 0003) == 0003;
}

void check_agent_store(struct doctor *d, const struct agent_unit *u, const char *path)
{
	const struct passwd *user = u->user[0] ? getpwnam(u->user) : NULL;
	struct stat st;
	struct buf cure;

	if (stat(path, &st)) {
		bool denied = errno == EACCES;

		cure = denied ? doctor_cure("sudo kiln doctor")
			      : doctor_cure("sudo install -d -o kiln -g kiln -m 0750 %s", path);
		doctor_add(d, FINDING_warn, "store", &cure, "%s: %s", path, strerror(errno));
	} else if (!S_ISDIR(st.st_mode)) {
		cure = doctor_cure("store.path in " CONFIG_DEFAULT_PATH);
		doctor_add(d, FINDING_warn, "store", &cure, "%s is no directory", path);
	} else if (!may_write(&st, user)) {
		cure = doctor_cure("sudo chown -R %s:%s %s", u->user, u->user, path);
		doctor_add(d, FINDING_warn, "store", &cure, "%s cannot write to %s", u->user, path);
	} else if (st.st_mode & 07) {
		cure = doctor_cure("sudo chmod 0750 %s", path);
		doctor_add(d, FINDING_warn, "store", &cure,
			   "%s has mode %04o: everybody sees what runs here", path,
			   (unsigned)st.st_mode & 07777);
	} else if (access(path, R_OK | X_OK)) {
		cure = doctor_cure("sudo kiln report, or sudo usermod -aG kiln $USER and log in "
				   "again");
		doctor_add(d, FINDING_info, "store", &cure, "you cannot read %s", path);
	} else {
		doctor_add(d, FINDING_ok, "store", NULL, "%s, mode %04o", path,
			   (unsigned)st.st_mode & 07777);
	}
}

/* When the last window of the last day began, or of all; 0: there is none. 0 or -errno. */
static int last_window(struct store *s, int64_t now_ns, int64_t *begin_ns, struct why *why)
{
	struct store_query q = {.since_ns = now_ns - DAY_NS, .until_ns = STORE_END};
	struct store_times times = {0};
	int err = store_times(s, &q, NS_PER_S, &times, why);

	if (!err && !times.v.len) {
		q.since_ns = STORE_BEGIN;
		err = store_times(s, &q, HOUR_NS, &times, why);
	}
	*begin_ns = !err && times.v.len ? times.v.data[times.v.len - 1].begin_ns : 0;
	store_times_release(&times);
	return err;
}

static void format_age(int64_t ns, char out[32])
{
	static const struct {
		int64_t ns;
		const char *name;
	} units[] = {{DAY_NS, "days"}, {HOUR_NS, "hours"}, {60 * (int64_t)NS_PER_S, "minutes"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (ns >= 2 * units[i].ns) {
			snprintf(out, 32, "%" PRId64 " %s", ns / units[i].ns, units[i].name);
			return;
		}
	}
	snprintf(out, 32, "%" PRId64 " s", ns > 0 ? ns / (int64_t)NS_PER_S : 0);
}

void check_agent_windows(struct doctor *d, const struct agent_unit *u, const char *path,
			 uint64_t window_ns, int64_t now_ns)
{
	const struct store_opts opts = {.access = STORE_READ};
	bool runs = !strcmp(u->active, "active");
	struct as_owner owner;
	struct store *s = NULL;
	struct why why = {""};
	struct buf cure;
	int64_t begin_ns = 0;
	char ago[32];
	int err;

	if (access(path, R_OK | X_OK))
		return; /* the check of the store says so */
	as_owner_begin(&owner, path);
	err = store_open(&s, path, &opts, &why) ?: last_window(s, now_ns, &begin_ns, &why);
	store_close(s);
	as_owner_end(&owner);
	if (err) {
		cure = doctor_cure("sudo kiln doctor; " LOG_CURE);
		doctor_add(d, FINDING_warn, "last window", &cure, "%s", why.text);
		return;
	}
	if (!begin_ns) {
		doctor_add(d, FINDING_info, "last window", NULL, "there is none yet");
		return;
	}
	format_age(now_ns - begin_ns, ago);
	if (!runs || now_ns - begin_ns < (int64_t)(LATE_WINDOWS * window_ns + SLACK_NS)) {
		doctor_add(d, runs ? FINDING_ok : FINDING_info, "last window", NULL, "began %s ago",
			   ago);
		return;
	}
	cure = doctor_cure("df %s; " LOG_CURE, path);
	doctor_add(d, FINDING_warn, "last window", &cure, "began %s ago, although the agent runs",
		   ago);
}

/* --- delivery ------------------------------------------------------------------------------------- */

static void add_status(struct buf *out, const struct delivery_status *s, int64_t now_ns)
{
	char ago[32];

	format_age(now_ns - s->answered_unix_ns, ago);
	buf_printf(out, "%s, %s ago", s->answer.text, ago);
	if (!s->windows)
		return;
	format_age(now_ns - s->oldest_unix_ns, ago);
	buf_printf(out, "; %" PRIu64 " window%s waited, the oldest began %s ago", s->windows,
		   s->windows == 1 ? "" : "s", ago);
}

/* It is asked every five minutes at least, and caught up with in little more. */
static bool is_late(const struct delivery_status *s, uint64_t window_ns, int64_t now_ns)
{
	int64_t most_ns = (int64_t)(LATE_WINDOWS * window_ns + DELIVERY_SLACK_NS);

	return now_ns - s->answered_unix_ns > most_ns ||
	       (s->windows && now_ns - s->oldest_unix_ns > most_ns);
}

static void check_destination(struct doctor *d, const struct agent_unit *u,
			      const struct config *config, const struct config_upload *to,
			      int64_t now_ns)
{
	struct delivery_status s;
	struct buf text = {0}, cure;
	char dir[4096];
	int err = upload_role_dir(config, dir, sizeof(dir));
	bool runs = !strcmp(u->active, "active"), good;

	err = err ?: delivery_status_load(&s, dir, to->name);
	if (err) {
		doctor_add(d, FINDING_info, "delivery", NULL, "%s: %s", to->name,
			   err == -ENOENT ? "it has not answered yet" : strerror(-err));
		return;
	}
	add_status(&text, &s, now_ns);
	good = s.is_well && (!runs || !is_late(&s, config->window_ns, now_ns));
	cure = doctor_cure("sudo kiln agent --check-upload says what it answers now; " LOG_CURE);
	doctor_add(d,
		   !good  ? FINDING_warn
		   : runs ? FINDING_ok
			  : FINDING_info,
		   "delivery", good ? NULL : &cure, "%s: %s", to->name, buf_cstr(&text));
	if (good)
		buf_release(&cure);
	buf_release(&text);
}

void check_agent_delivery(struct doctor *d, const struct agent_unit *u, const struct config *config,
			  int64_t now_ns)
{
	struct as_owner owner;

	if (access(config->store_path, R_OK | X_OK))
		return; /* the check of the store says so */
	as_owner_begin(&owner, config->store_path);
	for (size_t i = 0; i < config->upload.len; i++)
		check_destination(d, u, config, &config->upload.data[i], now_ns);
	as_owner_end(&owner);
}

/* ------------------------------------------------------------------------------------------------- */

static void check_share(struct doctor *d, const struct config *config)
{
	struct buf text = {0};

	host_share_say(&text, config);
	if (text.len)
		doctor_add(d, FINDING_info, "sampling", NULL, "%s", buf_cstr(&text));
	buf_release(&text);
}

static bool has_unit_file(void)
{
	static const char *const places[] = {"/etc/systemd/system/" AGENT_UNIT,
					     "/usr/lib/systemd/system/" AGENT_UNIT,
					     "/lib/systemd/system/" AGENT_UNIT};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (!access(places[i], F_OK))
			return true;
	return false;
}

void check_agent_absent(struct doctor *d, bool installed, int err)
{
	if (installed)
		doctor_add(d, FINDING_info, "agent", NULL,
			   "%s is installed, but systemd does not answer: is it running here?",
			   AGENT_UNIT);
	else
		doctor_add(d, FINDING_info, "agent", NULL, "not installed as a service%s%s",
			   err ? ": " : "", err ? strerror(-err) : "");
}

void check_agent(struct doctor *d)
{
	struct agent_unit u;
	struct config *config;
	int err = agent_unit_ask(&u);

	if (!agent_unit_is_there(&u)) {
		check_agent_absent(d, has_unit_file(), err);
		return;
	}
	check_agent_unit(d, &u);
	check_agent_caps(d, &u);
	config = check_agent_config(d, NULL);
	if (!config)
		return;
	check_agent_store(d, &u, config->store_path);
	check_share(d, config);
	if (host_is_sampled(config))
		check_agent_windows(d, &u, config->store_path, config->window_ns, unix_ns());
	check_agent_delivery(d, &u, config, unix_ns());
	config_free(config);
}
