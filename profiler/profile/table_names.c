// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/profile/package.h"
#include "profiler/profile/table_names.h"

void row_namer_release(struct row_namer *n)
{
	processes_release(&n->processes);
	buf_release(&n->text);
}

/* Interns the scratch text and empties it. */
static int take_text(struct row_namer *n, uint32_t *id)
{
	const char *text = buf_cstr(&n->text);
	int err = n->text.err ?: strtab_add(n->strings, text, id);

	buf_clear(&n->text);
	return err;
}

bool row_has_function(const struct profile *p, uint32_t location, const struct profile_line *line)
{
	const char *name = line ? profile_text(p, p->functions.data[line->function].name) : "";

	return *name &&
	       !profile_name_is_bare(name, profile_module(p, p->locations.data[location].mapping));
}

/* A module without functions is one row; in a table by line, one row for each address. */
static int name_unknown(struct row_namer *n, const struct profile_location *l, struct row_key *key)
{
	const char *module = strtab_get(n->strings, key->module);
	int err;

	buf_printf(&n->text, *module == '[' ? "%s" : "[%s]", module);
	err = take_text(n, &key->name);
	if (err || n->by != TABLE_LINE || !l->address)
		return err;
	buf_printf(&n->text, "+0x%" PRIx64, l->address);
	return take_text(n, &key->line_of);
}

static int name_function(struct row_namer *n, const struct profile_line *line, struct row_key *key)
{
	const struct profile_function *f = &n->p->functions.data[line->function];
	const char *file = profile_text(n->p, f->file), *slash = strrchr(file, '/');
	int err = strtab_add(n->strings, profile_text(n->p, f->name), &key->name);

	if (err || n->by != TABLE_LINE || !*file)
		return err;
	buf_printf(&n->text, " (%s:%" PRId64 ")", slash && slash[1] ? slash + 1 : file, line->line);
	return take_text(n, &key->line_of);
}

/* Appends what a function's names tell of where it is from. */
static bool add_origin(struct row_namer *n, uint32_t location, const struct profile_line *line)
{
	const struct profile_function *f = &n->p->functions.data[line->function];
	const char *name = profile_text(n->p, f->name), *file = profile_text(n->p, f->file);
	enum frame_kind kind = profile_frame_kind(n->p, location);

	if (n->by == TABLE_FILE && *file) {
		buf_str(&n->text, file);
		return true;
	}
	if (n->by == TABLE_PACKAGE)
		return package_of(&n->text, name, file, kind);
	return n->by == TABLE_DIRECTORY && package_directory(&n->text, file);
}

/* A row by file, directory or package; what is not known is of its module. */
static int name_origin(struct row_namer *n, uint32_t location, const struct profile_line *line,
		       struct row_key *key)
{
	if (row_has_function(n->p, location, line) && add_origin(n, location, line))
		return take_text(n, &key->name);
	return strtab_add(n->strings, profile_module(n->p, n->p->locations.data[location].mapping),
			  &key->name);
}

int row_key_of_frame(struct row_namer *n, uint32_t location, const struct profile_line *line,
		     struct row_key *key)
{
	const struct profile_location *l = &n->p->locations.data[location];
	int err;

	*key = (struct row_key){0};
	if (n->by >= TABLE_FILE && n->by <= TABLE_PACKAGE)
		return name_origin(n, location, line, key);
	err = strtab_add(n->strings, profile_module(n->p, l->mapping), &key->module);
	if (err)
		return err;
	if (n->by == TABLE_MODULE) {
		*key = (struct row_key){.name = key->module};
		return 0;
	}
	return row_has_function(n->p, location, line) ? name_function(n, line, key)
						      : name_unknown(n, l, key);
}

static bool add_label(struct row_namer *n, uint32_t labelset, const char *before, const char *key)
{
	const struct profile_label *l = profile_find_label(n->p, labelset, key);

	if (!l)
		return false;
	buf_str(&n->text, before);
	if (l->str != PROFILE_NONE)
		buf_str(&n->text, profile_text(n->p, l->str));
	else
		buf_printf(&n->text, "%" PRId64, l->num);
	return true;
}

static int name_process(struct row_namer *n, uint32_t labelset, struct row_key *key)
{
	const struct process_names *names;

	if (!n->processes.names && processes_load(&n->processes, n->p))
		return -ENOMEM;
	names = &n->processes.names[labelset];
	buf_str(&n->text, n->by == TABLE_COMMAND ? names->command : names->process);
	if (!n->text.len)
		buf_str(&n->text, NO_PROCESS);
	if (n->by == TABLE_PROCESS)
		add_label(n, labelset, "-", LABEL_PID);
	return take_text(n, &key->name);
}

int row_key_of_labelset(struct row_namer *n, uint32_t labelset, struct row_key *key)
{
	*key = (struct row_key){0};
	if (n->by == TABLE_PROCESS || n->by == TABLE_COMMAND)
		return name_process(n, labelset, key);
	if (n->by == TABLE_LABEL) {
		if (!add_label(n, labelset, "", n->label))
			buf_printf(&n->text, "[no %s]", n->label);
		return take_text(n, &key->name);
	}
	if (n->by == TABLE_CGROUP) {
		if (!add_label(n, labelset, "", LABEL_UNIT) &&
		    !add_label(n, labelset, "", LABEL_CONTAINER) &&
		    !add_label(n, labelset, "", LABEL_CGROUP))
			buf_str(&n->text, "[no cgroup]");
		return take_text(n, &key->name);
	}
	if (!add_label(n, labelset, "", LABEL_COMM))
		buf_str(&n->text, NO_PROCESS);
	add_label(n, labelset, "-", LABEL_PID);
	add_label(n, labelset, "/", LABEL_TID);
	return take_text(n, &key->name);
}

int row_key_text(struct row_namer *n, const struct row_key *key, uint32_t *text)
{
	buf_str(&n->text, strtab_get(n->strings, key->name));
	buf_str(&n->text, strtab_get(n->strings, key->line_of));
	return take_text(n, text);
}
