#include "peer_message.h"

#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct ssh_host_key *ours, *other;

static int
make_keys(void **state)
{
	ours = ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	other = ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	return ours == NULL || other == NULL;
}

static int
free_keys(void **state)
{
	ssh_host_key_free(ours);
	ssh_host_key_free(other);
	return 0;
}

static const uint8_t bytes32[32] = {7, 7};
static const uint8_t token_a[16] = {1}, token_b[16] = {2}, token_c[16] = {3};

/* A message in which every field that any kind has is set. */
static struct peer_message
full(enum peer_kind kind)
{
	return (struct peer_message){
	    .kind = (uint8_t)kind,
	    .from = span_of_str("north"),
	    .to = span_of_str("south"),
	    .boot = span_of(token_a, 16),
	    .challenge = span_of(token_b, 16),
	    .echo = span_of(token_c, 16),
	    .seq = 5,
	    .id = span_of_str("0123456789abcdef"),
	    .nonce = span_of(bytes32, 32),
	    .rule = span_of_str("valves"),
	    .publisher = span_of_str("ann"),
	    .topic = span_of_str("plant/1/valve"),
	    .digest = span_of(bytes32, 32),
	    .text = span_of_str("open"),
	    .is_text = 1,
	    .qos = 1,
	    .bytes = 4,
	    .held_ms = 10,
	    .left_ms = 20,
	    .state = APPROVAL_RELEASED,
	    .cause = APPROVAL_TIME_LIMIT,
	    .by = span_of_str("bob"),
	    .request = 77,
	    .command = span_of(bytes32, 32),
	    .identity = span_of_str("bob"),
	    .role = span_of_str("supervisor"),
	    .reason = span_of_str("not now"),
	};
}

static void
encode(const struct peer_message *message, struct buf *out)
{
	struct err err = ERR_INIT;

	buf_init(out, PEER_MESSAGE_MAX);
	if (peer_message_encode(message, ours, out, &err) != 0)
		fail_msg("%s", err.what);
}

static void
test_each_kind_is_read_as_it_was_written(void **state)
{
	for (enum peer_kind kind = 0; kind < PEER_KIND_COUNT; kind++) {
		struct peer_message message = full(kind), read;
		struct buf out, again;

		encode(&message, &out);
		assert_int_equal(
		    peer_message_decode(buf_span(&out), &read), PEER_GOOD);
		assert_int_equal(peer_message_verify(
				     buf_span(&out), ssh_host_key_blob(ours)),
		    PEER_GOOD);
		assert_int_equal(read.kind, kind);
		assert_true(span_is(read.from, "north"));
		assert_true(span_is(read.to, "south"));
		assert_int_equal(read.seq, 5);
		/* Ed25519 signs the same bytes in the same way. */
		encode(&read, &again);
		assert_true(span_equal(buf_span(&out), buf_span(&again)));
		buf_fini(&out);
		buf_fini(&again);
	}
}

static void
test_what_is_held_comes_through_whole(void **state)
{
	struct peer_message message = full(PEER_HELD), read;
	struct buf out;

	encode(&message, &out);
	assert_int_equal(peer_message_decode(buf_span(&out), &read), PEER_GOOD);
	assert_true(span_is(read.id, "0123456789abcdef"));
	assert_true(span_is(read.rule, "valves"));
	assert_true(span_is(read.publisher, "ann"));
	assert_true(span_is(read.topic, "plant/1/valve"));
	assert_true(span_is(read.text, "open"));
	assert_int_equal(read.left_ms, 20);
	assert_int_equal(read.qos, 1);
	buf_fini(&out);
}

static void
test_no_cut_message_is_read(void **state)
{
	for (enum peer_kind kind = 0; kind < PEER_KIND_COUNT; kind++) {
		struct peer_message message = full(kind), read;
		struct buf out;

		encode(&message, &out);
		for (size_t len = 0; len < buf_len(&out); len++) {
			/* Of its own, so that a read past its end is seen. */
			uint8_t *cut = malloc(len + 1);

			memcpy(cut, buf_span(&out).data, len);
			assert_int_equal(
			    peer_message_decode(span_of(cut, len), &read),
			    PEER_MALFORMED);
			free(cut);
		}
		buf_fini(&out);
	}
}

static void
test_no_changed_byte_is_believed(void **state)
{
	struct peer_message message = full(PEER_AGREES), read;
	struct span key = ssh_host_key_blob(ours);
	struct buf out;
	uint8_t *bytes;

	encode(&message, &out);
	bytes = (uint8_t *)buf_span(&out).data;
	for (size_t i = 0; i < buf_len(&out); i++) {
		bytes[i] ^= 1;
		if (peer_message_decode(buf_span(&out), &read) == PEER_GOOD)
			assert_int_equal(
			    peer_message_verify(buf_span(&out), key),
			    PEER_BAD_SIGNATURE);
		bytes[i] ^= 1;
	}
	assert_int_equal(peer_message_verify(buf_span(&out), key), PEER_GOOD);
	buf_fini(&out);
}

static void
test_another_gateways_key_is_not_taken_for_this_ones(void **state)
{
	struct peer_message message = full(PEER_AGREES);
	struct buf out;

	encode(&message, &out);
	assert_int_equal(
	    peer_message_verify(buf_span(&out), ssh_host_key_blob(other)),
	    PEER_BAD_SIGNATURE);
	buf_fini(&out);
}

static void
test_a_signature_for_another_purpose_proves_nothing(void **state)
{
	struct peer_message message = full(PEER_AGREES), read;
	struct span body, signature, in;
	struct buf out, forged, blob;

	encode(&message, &out);
	in = buf_span(&out);
	assert_true(wire_take_string32(&in, &body));
	assert_true(wire_take_string32(&in, &signature));
	buf_init(&blob, SSH_SIG_BLOB_MAX);
	assert_int_equal(
	    ssh_sig_sign(ours, "kaya-command", body, &blob, NULL), 0);
	buf_init(&forged, PEER_MESSAGE_MAX);
	wire_put_string32(&forged, body);
	wire_put_string32(&forged, buf_span(&blob));
	assert_int_equal(
	    peer_message_decode(buf_span(&forged), &read), PEER_GOOD);
	assert_int_equal(
	    peer_message_verify(buf_span(&forged), ssh_host_key_blob(ours)),
	    PEER_BAD_SIGNATURE);
	buf_fini(&out);
	buf_fini(&forged);
	buf_fini(&blob);
}

/* `body` as a message; its signature does not matter here. */
static enum peer_verdict
read_body(struct span body)
{
	struct peer_message read;
	struct buf out;
	enum peer_verdict verdict;

	buf_init(&out, 2 * PEER_MESSAGE_MAX);
	wire_put_string32(&out, body);
	wire_put_string32(&out, span_of_str("signature"));
	verdict = peer_message_decode(buf_span(&out), &read);
	buf_fini(&out);
	return verdict;
}

static void
test_what_follows_or_is_of_another_version_is_not_read(void **state)
{
	struct peer_message message = full(PEER_HELLO);
	struct span in, body;
	struct buf out, longer;

	encode(&message, &out);
	in = buf_span(&out);
	assert_true(wire_take_string32(&in, &body));
	assert_int_equal(read_body(body), PEER_GOOD);
	buf_init(&longer, 2 * PEER_MESSAGE_MAX);
	wire_put_bytes(&longer, body);
	wire_put_u8(&longer, 0);
	assert_int_equal(read_body(buf_span(&longer)), PEER_MALFORMED);
	((uint8_t *)body.data)[0] = PEER_VERSION + 1;
	assert_int_equal(read_body(body), PEER_OTHER_VERSION);
	((uint8_t *)body.data)[0] = PEER_VERSION;
	((uint8_t *)body.data)[1] = PEER_KIND_COUNT;
	assert_int_equal(read_body(body), PEER_MALFORMED);
	buf_fini(&out);
	buf_fini(&longer);
}

static void
expect_unsaid(struct peer_message message)
{
	struct err err = ERR_INIT;
	struct buf out;

	buf_init(&out, PEER_MESSAGE_MAX);
	assert_int_equal(peer_message_encode(&message, ours, &out, &err), -1);
	assert_int_equal(buf_len(&out), 0);
	assert_int_equal(err.code, ERR_FAILED);
	buf_fini(&out);
}

static void
test_what_could_not_be_read_is_not_written(void **state)
{
	static char long_topic[APPROVAL_TOPIC_MAX + 1];
	struct peer_message message = full(PEER_HELD);

	message.publisher = span_of_str("no/name");
	expect_unsaid(message);
	message = full(PEER_HELD);
	message.id = span_of_str("0123456789ABCDEF");
	expect_unsaid(message);
	message = full(PEER_HELD);
	message.qos = 3;
	expect_unsaid(message);
	message = full(PEER_HELD);
	message.topic = span_of(long_topic, sizeof long_topic);
	expect_unsaid(message);
	message = full(PEER_HELD);
	message.is_text = 0;
	expect_unsaid(message);
	message = full(PEER_AGREES);
	message.nonce.len = 31;
	expect_unsaid(message);
}

/* All that is agreed to: who changes one of them has another command. */
static void
test_each_part_of_a_command_changes_its_digest(void **state)
{
	static const uint8_t others[32] = {9};
	struct peer_message message = full(PEER_HELD);
	uint8_t first[32], digest[32];

	assert_true(peer_command_digest(&message, first));
#define EXPECT_OTHER(field, value)                                             \
	message = full(PEER_HELD);                                             \
	message.field = value;                                                 \
	assert_true(peer_command_digest(&message, digest));                    \
	assert_memory_not_equal(first, digest, sizeof digest)

	EXPECT_OTHER(id, span_of_str("0123456789abcdee"));
	EXPECT_OTHER(nonce, span_of(others, 32));
	EXPECT_OTHER(rule, span_of_str("valve"));
	EXPECT_OTHER(publisher, span_of_str("anne"));
	EXPECT_OTHER(topic, span_of_str("plant/2/valve"));
	EXPECT_OTHER(digest, span_of(others, 32));
	EXPECT_OTHER(bytes, 5);
	EXPECT_OTHER(qos, 0);
#undef EXPECT_OTHER
	/* The time that is left is none of it. */
	message = full(PEER_HELD);
	message.left_ms = 1;
	assert_true(peer_command_digest(&message, digest));
	assert_memory_equal(first, digest, sizeof digest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_kind_is_read_as_it_was_written),
	    cmocka_unit_test(test_what_is_held_comes_through_whole),
	    cmocka_unit_test(test_no_cut_message_is_read),
	    cmocka_unit_test(test_no_changed_byte_is_believed),
	    cmocka_unit_test(
		test_another_gateways_key_is_not_taken_for_this_ones),
	    cmocka_unit_test(
		test_a_signature_for_another_purpose_proves_nothing),
	    cmocka_unit_test(
		test_what_follows_or_is_of_another_version_is_not_read),
	    cmocka_unit_test(test_what_could_not_be_read_is_not_written),
	    cmocka_unit_test(test_each_part_of_a_command_changes_its_digest),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
