#include "keyring_policy.h"

#include "wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

enum {
	NONE = UINT32_MAX,
	/* Offsets have 32 bits; a line's options count against its own text. */
	BYTES_MAX = INT32_MAX,
	FLAG_FORWARD = 1,
	FLAG_TOUCH = 2,
	FLAG_VERIFY = 4,
	FLAG_FROM = 8,
	FLAG_PERMITOPEN = 16,
	FLAG_PRINCIPALS = 32
};

/*
 * The sets stand one behind the other:
 *
 *	u8 flags, u64 expires_s, string16 role with its zero,
 *	string32 from, string32 principals, u16 number of permitopens,
 *	and of each: u16 port, string16 host
 *
 * and a policy is the offset of one.
 */
struct policies {
	struct buf bytes;
	uint32_t *index; /* open addressing; only while adding */
	size_t mask;
	size_t count;
};

struct policy {
	uint8_t flags;
	int64_t expires_s;
	struct span role;
	struct span from;
	struct span principals;
	uint16_t permitopens;
	struct span rest; /* the permitopens */
};

struct policies *
policies_new(void)
{
	struct policies *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	buf_init(&p->bytes, BYTES_MAX);
	p->mask = 15;
	p->index = malloc((p->mask + 1) * sizeof *p->index);
	if (p->index == NULL) {
		free(p);
		return NULL;
	}
	memset(p->index, 0xff, (p->mask + 1) * sizeof *p->index);
	return p;
}

void
policies_free(struct policies *p)
{
	if (p == NULL)
		return;
	buf_fini(&p->bytes);
	free(p->index);
	free(p);
}

void
policies_finish(struct policies *p)
{
	free(p->index);
	p->index = NULL;
	p->mask = 0;
}

size_t
policies_bytes(const struct policies *p)
{
	return sizeof *p + p->bytes.cap +
	       (p->index == NULL ? 0 : (p->mask + 1) * sizeof *p->index);
}

static struct span
from_offset(const struct policies *p, uint32_t offset)
{
	struct span all = buf_span(&p->bytes);

	return span_of(all.data + offset, all.len - offset);
}

/* Only ever reads what encode wrote. */
static struct policy
decode(struct span in)
{
	struct policy policy = {0};
	uint64_t expires = 0;

	wire_take_u8(&in, &policy.flags);
	wire_take_u64(&in, &expires);
	wire_take_string16(&in, &policy.role);
	wire_take_string32(&in, &policy.from);
	wire_take_string32(&in, &policy.principals);
	wire_take_u16(&in, &policy.permitopens);
	policy.expires_s = (int64_t)expires;
	policy.rest = in;
	return policy;
}

static struct policy
policy_at(const struct policies *p, uint32_t offset)
{
	return decode(from_offset(p, offset));
}

static void
encode_permitopens(const struct authorized_keys_line *line, struct buf *out)
{
	struct authorized_keys_option option;
	struct span host;
	uint16_t port;
	size_t at = 0;

	wire_put_u16(out, (uint16_t)line->permitopens);
	while (authorized_keys_next(line, &at, &option)) {
		if (option.id != OPTION_PERMITOPEN)
			continue;
		authorized_keys_split_permit(
		    option.id, option.value, &host, &port);
		wire_put_u16(out, port);
		wire_put_string16(out, host);
	}
}

static void
encode(const struct authorized_keys_line *line, struct buf *out)
{
	static const char end = '\0';
	uint8_t flags = 0;

	if (line->rights.port_forwarding)
		flags |= FLAG_FORWARD;
	if (line->touch_required)
		flags |= FLAG_TOUCH;
	if (line->verify_required)
		flags |= FLAG_VERIFY;
	if (line->from.data != NULL)
		flags |= FLAG_FROM;
	if (line->permitopens > 0)
		flags |= FLAG_PERMITOPEN;
	if (line->principals.data != NULL)
		flags |= FLAG_PRINCIPALS;
	wire_put_u8(out, flags);
	wire_put_u64(out, (uint64_t)line->expires_s);
	wire_put_u16(out, (uint16_t)(line->role.len + 1));
	wire_put_bytes(out, line->role);
	buf_append(out, &end, 1);
	wire_put_string32(out, line->from);
	wire_put_string32(out, line->principals);
	encode_permitopens(line, out);
}

static uint64_t
hash_of(struct span s)
{
	/* FNV-1a: who writes the file may slow down only himself. */
	uint64_t h = 0xcbf29ce484222325U;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.data[i]) * 0x100000001b3U;
	return h ^ h >> 32;
}

/* The bytes of one kept set: its permitopens tell where it ends. */
static struct span
bytes_of(const struct policies *p, uint32_t offset)
{
	struct span all = from_offset(p, offset), host, in;
	struct policy policy = decode(all);
	uint16_t port;

	in = policy.rest;
	for (size_t i = 0; i < policy.permitopens; i++) {
		wire_take_u16(&in, &port);
		wire_take_string16(&in, &host);
	}
	return span_of(all.data, all.len - in.len);
}

/* Where `s` is kept, or the free slot for it.  `s` may be a part of p. */
static size_t
find_slot(const struct policies *p, struct span s)
{
	size_t slot;

	assert(s.data != NULL);
	slot = (size_t)hash_of(s) & p->mask;
	while (p->index[slot] != NONE &&
	       !span_equal(bytes_of(p, p->index[slot]), s))
		slot = (slot + 1) & p->mask;
	return slot;
}

static int
grow(struct policies *p)
{
	size_t slots = (p->mask + 1) * 2;
	uint32_t *old = p->index, *index = malloc(slots * sizeof *index);
	size_t old_slots = p->mask + 1;

	if (index == NULL)
		return -1;
	memset(index, 0xff, slots * sizeof *index);
	p->index = index;
	p->mask = slots - 1;
	for (size_t i = 0; i < old_slots; i++)
		if (old[i] != NONE)
			index[find_slot(p, bytes_of(p, old[i]))] = old[i];
	free(old);
	return 0;
}

int
policies_add(struct policies *p, const struct authorized_keys_line *line,
    uint32_t *policy)
{
	size_t start = buf_len(&p->bytes), slot;
	struct span all;

	if (p->count * 2 > p->mask && grow(p) < 0)
		return -1;
	encode(line, &p->bytes);
	if (p->bytes.failed)
		return -1;
	all = buf_span(&p->bytes);
	assert(all.len > start);
	slot = find_slot(p, span_of(all.data + start, all.len - start));
	if (p->index[slot] != NONE) {
		buf_truncate(&p->bytes, start);
	} else {
		p->index[slot] = (uint32_t)start;
		p->count++;
	}
	*policy = p->index[slot];
	return 0;
}

const char *
policies_role(const struct policies *p, uint32_t policy)
{
	return (const char *)policy_at(p, policy).role.data;
}

struct span
policies_principals(const struct policies *p, uint32_t policy)
{
	struct policy s = policy_at(p, policy);

	return (s.flags & FLAG_PRINCIPALS) != 0 ? s.principals
						: span_of(NULL, 0);
}

static void
say_expired(int64_t expires_s, char *why, size_t size)
{
	time_t t = (time_t)expires_s;
	struct tm tm;
	char stamp[32] = "?";

	if (gmtime_r(&t, &tm) != NULL)
		strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(why, size, "the line's expiry-time was %s", stamp);
}

bool
policies_admit(const struct policies *p, uint32_t policy,
    const struct netaddr *client, int64_t now_s, struct keyring_verdict *v)
{
	static const char *const words[] = {
	    [NETADDR_NO_MATCH] = "does not hold",
	    [NETADDR_FORBIDDEN] = "forbids",
	    [NETADDR_INVALID] = "is faulty and holds nobody, not even",
	};
	struct policy s = policy_at(p, policy);
	char text[NETADDR_TEXT_SIZE];
	enum netaddr_match match;

	v->role = (const char *)s.role.data;
	v->may_forward = (s.flags & FLAG_FORWARD) != 0;
	v->touch_required = (s.flags & FLAG_TOUCH) != 0;
	v->verify_required = (s.flags & FLAG_VERIFY) != 0;
	v->expires_s = s.expires_s;
	v->why[0] = '\0';
	if (s.expires_s != 0 && s.expires_s < now_s) {
		say_expired(s.expires_s, v->why, sizeof v->why);
		return false;
	}
	if ((s.flags & FLAG_FROM) == 0)
		return true;
	match = netaddr_match_list(client, s.from);
	if (match == NETADDR_MATCH)
		return true;
	snprintf(v->why, sizeof v->why, "the line's from list %s %s",
	    words[match], netaddr_text(client, text));
	return false;
}

/* localhost, 127.0.0.1 and ::1, as a client may spell them. */
static bool
is_loopback(struct span host)
{
	return span_is(host, "127.0.0.1") || span_is(host, "::1") ||
	       (host.len == 9 &&
		   strncasecmp((const char *)host.data, "localhost", 9) == 0);
}

enum keyring_open
policies_may_open(
    const struct policies *p, uint32_t policy, struct span host, uint16_t port)
{
	struct policy s = policy_at(p, policy);
	bool loopback = is_loopback(host);

	if ((s.flags & FLAG_FORWARD) == 0)
		return KEYRING_NO_FORWARDING;
	if ((s.flags & FLAG_PERMITOPEN) == 0)
		return KEYRING_MAY_OPEN;
	for (size_t i = 0; i < s.permitopens; i++) {
		struct span named = {0};
		uint16_t named_port = 0;

		wire_take_u16(&s.rest, &named_port);
		wire_take_string16(&s.rest, &named);
		if (named_port != 0 && named_port != port)
			continue;
		if (span_is(named, "*") || span_equal(named, host) ||
		    (loopback && is_loopback(named)))
			return KEYRING_MAY_OPEN;
	}
	return KEYRING_NOT_PERMITTED;
}
