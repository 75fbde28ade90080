// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flame graph as one SVG file, root on top. It is readable without the script, since image
 * viewers run none. In a browser the script adds zoom and search.
 */
#include <math.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/formats/describe.h"
#include "profiler/formats/export.h"
#include "profiler/profile/short_name.h"

#include "profiler/web/page.inc"

/* In pixels. The character width is that of usual monospaced fonts, rounded up. */
#define WIDTH	 1200
#define MARGIN	 10
#define INNER	 (WIDTH - 2 * MARGIN)
#define TOP	 64
#define BOTTOM	 34
#define ROW	 18
#define BOX	 (ROW - 1)
#define CHAR	 7.3
#define TEXT_PAD 3
/* Narrower nodes are hidden in a sum. They could not be seen or pointed at, and a large profile
 * consists mostly of them. */
#define LEAST_PIXELS 0.3
/* Hidden sums narrower than this are not drawn. */
#define LEAST_DRAWN 0.1
/* A viewer opens so many boxes at once. Of deeper graphs wider nodes are hidden, too. */
#define MAX_BOXES 10000
/* Of the name in a box's title, which the script reads. */
#define TITLE_COLUMNS 180

/* XML 1.0, section 2.2, forbids U+FFFE and U+FFFF, which clean text may contain. */
static void add_xml(struct buf *b, const char *s)
{
	for (; *s; s++) {
		char one[2] = {*s, '\0'};

		if (!strncmp(s, "\xef\xbf", 2) && (s[2] & 0xfe) == 0xbe) {
			buf_str(b, "\xef\xbf\xbd");
			s += 2;
		} else {
			text_add_html(b, one);
		}
	}
}

/* Generated C++ has names of thousands of characters, on each of thousands of boxes. */
static void add_short(struct buf *b, const char *name, size_t columns)
{
	struct buf text = {0};

	short_name(&text, name, columns);
	add_xml(b, buf_cstr(&text));
	b->err = b->err ?: text.err;
	buf_release(&text);
}

/* Nothing if too little fits. */
static void add_label(struct buf *b, const char *name, double width)
{
	size_t room = width < 2 * TEXT_PAD ? 0 : (size_t)((width - 2 * TEXT_PAD) / CHAR);

	if (room >= 3)
		add_short(b, name, room);
}

/* Red, green (n = 8) or blue (n = 4), by the formula of CSS Color 4, section 7. */
static unsigned hsl_channel(int n, int hue, int saturation, int lightness)
{
	double l = lightness / 100.0, a = saturation / 100.0 * (l < 0.5 ? l : 1 - l);
	double k = fmod(n + hue / 30.0, 12), d = fmin(fmin(k - 3, 9 - k), 1);

	return (unsigned)lround(255 * (l - a * fmax(d, -1)));
}

/* As #rrggbb: image viewers support few of CSS's notations. */
static void add_colour(struct buf *b, const struct frame_class_info *c, int hue, int light)
{
	int h = (c->hue + hue + 360) % 360, l = c->lightness + light;

	buf_printf(b, "fill=\"#%02x%02x%02x\"", hsl_channel(0, h, c->saturation, l),
		   hsl_channel(8, h, c->saturation, l), hsl_channel(4, h, c->saturation, l));
}

static void add_fill(struct buf *b, const struct calltree *t, const struct calltree_node *n)
{
	uint64_t hash = hash_str(calltree_text(t, n->name));

	add_colour(b, &frame_classes[frame_class_of(t, n)],
		   (int)(hash % (2 * CLASS_HUE_JITTER + 1)) - CLASS_HUE_JITTER,
		   (int)(hash >> 33) % (CLASS_LIGHT_JITTER + 1));
}

/* The name of a sample type is as foreign as a function's. */
static void add_measure(struct buf *b, const struct measure *m, int64_t v, int64_t total)
{
	struct buf text = {0};

	measure_add(&text, m, v, total);
	add_xml(b, buf_cstr(&text));
	b->err = b->err ?: text.err;
	buf_release(&text);
}

static void add_node(struct buf *b, const struct calltree *t, const struct calltree_node *n,
		     const struct measure *m, double x, double width)
{
	const char *name = calltree_text(t, n->name), *module = calltree_text(t, n->module);
	unsigned y = TOP + n->depth * ROW;

	buf_str(b, "<g><title>");
	add_short(b, name, TITLE_COLUMNS);
	buf_char(b, '\n');
	if (*module) {
		add_xml(b, module);
		buf_char(b, '\n');
	}
	add_measure(b, m, n->total, t->total);
	buf_printf(b, "</title><rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" ", x, y,
		   width, BOX);
	add_fill(b, t, n);
	buf_printf(b, "/><text x=\"%.2f\" y=\"%u\">", x + TEXT_PAD, y + 13);
	add_label(b, name, width);
	buf_str(b, "</text></g>\n");
}

/* Children are side by side from their parent's left edge. The parent's self part stays free on
 * the right. */
static int add_nodes(struct buf *b, const struct calltree *t, const struct measure *m)
{
	_cleanup_free_ int64_t *next = calloc(t->n_nodes, sizeof(*next)); /* of the next child */
	double scale = t->total > 0 ? (double)INNER / (double)t->total : 0;

	if (!next)
		return -ENOMEM;
	buf_str(b, "<g id=\"frames\">\n");
	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct calltree_node *n = &t->nodes[i];
		int64_t start = i ? next[n->parent] : 0;
		double width = i ? (double)n->total * scale : INNER;

		next[i] = start;
		if (i)
			next[n->parent] = start + n->total;
		if (width >= LEAST_DRAWN)
			add_node(b, t, n, m, MARGIN + (double)start * scale, width);
	}
	buf_str(b, "</g>\n");
	return 0;
}

static void add_legend(struct buf *b, const struct calltree *t, unsigned y)
{
	bool seen[CLASS_COUNT] = {false};
	double x = MARGIN;

	for (size_t i = 1; i < t->n_nodes; i++)
		seen[frame_class_of(t, &t->nodes[i])] = true;
	for (size_t c = 0; c < CLASS_COUNT; c++) {
		const struct frame_class_info *info = &frame_classes[c];

		if (!seen[c])
			continue;
		buf_printf(b, "<rect x=\"%.0f\" y=\"%u\" width=\"12\" height=\"12\" ", x, y);
		add_colour(b, info, 0, 0);
		buf_printf(b, "/><text class=\"on-page\" x=\"%.0f\" y=\"%u\">", x + 17, y + 10);
		add_xml(b, info->label);
		buf_str(b, "</text>\n");
		x += 17 + CHAR * (double)strlen(info->label) + 18;
	}
}

static int add_head(struct buf *b, const struct profile *p, const char *title,
		    const struct measure *m, const struct calltree *t)
{
	struct buf text = {0};
	int r = 0;

	if (title)
		text_add_clean(&text, title, strlen(title));
	else
		r = describe_title(&text, p);
	buf_str(b, "<title>");
	add_xml(b, buf_cstr(&text));
	buf_printf(b,
		   "</title>\n<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n"
		   "<text class=\"on-page\" id=\"title\" x=\"%d\" y=\"26\">",
		   MARGIN);
	add_label(b, buf_cstr(&text), INNER * 0.7);
	buf_clear(&text);
	measure_add(&text, m, t->total, 0);
	buf_str(&text, p->time_ns > 0 || p->duration_ns > 0 ? "; " : "");
	describe_time(&text, p);
	buf_printf(b, "</text>\n<text class=\"on-page\" id=\"details\" x=\"%d\" y=\"48\">", MARGIN);
	add_xml(b, buf_cstr(&text));
	buf_str(b, "</text>\n");
	r = r ?: text.err;
	buf_release(&text);
	return r;
}

static void add_start(struct buf *b, unsigned height)
{
	buf_printf(b,
		   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" "
		   "height=\"%u\" viewBox=\"0 0 %d %u\" "
		   "font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" "
		   "font-size=\"12\">\n<style>" SVG_STYLE "</style>\n",
		   WIDTH, height, WIDTH, height);
}

/* The tree with as many nodes as can be drawn, the heaviest. */
static int build_tree(struct calltree **t, const struct profile *p)
{
	struct calltree_opts o = {
		.value = profile_default_type(p),
		.roots = ROOTS_COMM,
		.min_share = LEAST_PIXELS / INNER,
	};
	int r = calltree_build(t, p, &o);

	while (!r && (*t)->n_nodes > MAX_BOXES && o.min_share < 0.1) {
		o.min_share *= 2;
		calltree_free(*t);
		*t = NULL;
		r = calltree_build(t, p, &o);
	}
	return r;
}

int export_svg(struct buf *out, const struct profile *p, const struct export_opts *opts)
{
	_cleanup_(calltree_freep) struct calltree *t = NULL;
	unsigned bottom;
	struct measure m;
	int r = build_tree(&t, p);

	if (r)
		return r;
	measure_of(&m, p, profile_default_type(p));
	bottom = TOP + (t->max_depth + 1) * ROW;
	add_start(out, bottom + BOTTOM);
	r = add_head(out, p, opts ? opts->title : NULL, &m, t) ?: add_nodes(out, t, &m);
	add_legend(out, t, bottom + 12);
	buf_printf(out, "<script><![CDATA[\nconst MARGIN = %d, INNER = %d, CHAR = %g, PAD = %d;\n",
		   MARGIN, INNER, CHAR, TEXT_PAD);
	buf_str(out, SVG_SCRIPT "]]></script>\n</svg>\n");
	return r ?: out->err;
}
