#include "ssh_cipher.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { PACKETS = 3, PAYLOAD_MAX = 1100, PACKET_MAX = 1300 };

struct row {
	enum ssh_cipher cipher;
	enum ssh_mac mac;
	const char *sealed[PACKETS]; /* hex */
};

static const struct row rows[] = {
#include "cipher_vectors.h"
};

#define ROWS (sizeof rows / sizeof rows[0])

static struct ssh_engine *engine;

static int
make_engine(void **state)
{
	struct err err = ERR_INIT;

	engine = ssh_engine_new(&err);
	return engine == NULL ? -1 : 0;
}

static int
free_engine(void **state)
{
	ssh_engine_free(engine);
	return 0;
}

/* The keys of make_cipher_vectors.py. */
static struct ssh_direction
direction(enum ssh_cipher cipher, enum ssh_mac mac)
{
	struct ssh_direction d = {.cipher = (uint8_t)cipher,
	    .mac = (uint8_t)mac,
	    .sequence = UINT32_MAX};

	for (size_t i = 0; i < sizeof d.key; i++) {
		d.key[i] = (uint8_t)i;
		d.mac_key[i] = (uint8_t)(128 + i);
	}
	memset(d.iv, 0xff, sizeof d.iv);
	return d;
}

/* A packet of `len` bytes of payload; how long its body is. */
static uint32_t
make_packet(const struct ssh_direction *d, const uint8_t *payload, size_t len,
    uint8_t *packet)
{
	size_t padding = ssh_cipher_padding(d, len);
	uint32_t length = (uint32_t)(1 + len + padding);

	wire_poke_u32(packet, length);
	packet[4] = (uint8_t)padding;
	memcpy(packet + 5, payload, len);
	memset(packet + 5 + len, 0, padding);
	return length;
}

/* The payload of vector `i`. */
static size_t
payload_of(size_t i, uint8_t payload[PAYLOAD_MAX])
{
	static const size_t lens[PACKETS] = {4, 100, PAYLOAD_MAX};

	if (i == 0)
		memcpy(payload, "kaya", 4);
	for (size_t k = 0; k < lens[i] && i > 0; k++)
		payload[k] = (uint8_t)(k % 251);
	return lens[i];
}

static size_t
from_hex(const char *text, uint8_t *bytes)
{
	size_t len = strlen(text) / 2;

	for (size_t i = 0; i < len; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};

		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return len;
}

/* What a receiver does: learn the length, then open. */
static int
receive(struct ssh_direction *d, uint8_t *packet, uint32_t *length)
{
	assert_int_equal(ssh_cipher_length(engine, d, packet, length), 0);
	return ssh_cipher_open(engine, d, packet, *length);
}

static void
test_packets_are_sealed_as_the_documents_say(void **state)
{
	for (size_t r = 0; r < ROWS; r++) {
		struct ssh_direction d = direction(rows[r].cipher, rows[r].mac);

		for (size_t i = 0; i < PACKETS; i++) {
			uint8_t payload[PAYLOAD_MAX], packet[PACKET_MAX];
			uint8_t expected[PACKET_MAX];
			size_t len = payload_of(i, payload), all;
			uint32_t length = make_packet(&d, payload, len, packet);

			assert_int_equal(
			    ssh_cipher_seal(engine, &d, packet, length), 0);
			all = from_hex(rows[r].sealed[i], expected);
			assert_int_equal(
			    4 + length + ssh_cipher_tag_bytes(&d), all);
			assert_memory_equal(packet, expected, all);
		}
		assert_int_equal(d.sequence, PACKETS - 1);
	}
}

static void
test_packets_are_opened_as_the_documents_say(void **state)
{
	for (size_t r = 0; r < ROWS; r++) {
		struct ssh_direction d = direction(rows[r].cipher, rows[r].mac);

		for (size_t i = 0; i < PACKETS; i++) {
			uint8_t payload[PAYLOAD_MAX], packet[PACKET_MAX];
			uint8_t expected[PACKET_MAX];
			size_t len = payload_of(i, payload);
			uint32_t length =
			    make_packet(&d, payload, len, expected);
			uint32_t told;

			from_hex(rows[r].sealed[i], packet);
			assert_int_equal(receive(&d, packet, &told), 0);
			assert_int_equal(told, length);
			assert_memory_equal(packet, expected, 4 + length);
		}
		assert_int_equal(d.sequence, PACKETS - 1);
	}
}

static void
test_a_change_of_any_byte_is_found(void **state)
{
	for (size_t r = 0; r < ROWS; r++) {
		const struct ssh_direction fresh =
		    direction(rows[r].cipher, rows[r].mac);
		uint8_t whole[PACKET_MAX], packet[PACKET_MAX];
		size_t all = from_hex(rows[r].sealed[0], whole);
		size_t tag = ssh_cipher_tag_bytes(&fresh);

		for (size_t i = 0; i < 8 * all; i++) {
			struct ssh_direction d = fresh;
			uint32_t told;

			memcpy(packet, whole, all);
			packet[i / 8] ^= (uint8_t)(1 << i % 8);
			assert_int_equal(
			    ssh_cipher_length(engine, &d, packet, &told), 0);
			/* A wrong length would have the caller wait or give up.
			 */
			if (told != all - tag - 4)
				continue;
			assert_int_equal(
			    ssh_cipher_open(engine, &d, packet, told), -1);
			assert_memory_equal(&d, &fresh, sizeof d);
		}
	}
}

static void
test_a_changed_length_field_is_found_by_the_tag(void **state)
{
	for (size_t r = 0; r < ROWS; r++) {
		struct ssh_direction d = direction(rows[r].cipher, rows[r].mac);
		uint8_t packet[PACKET_MAX];
		size_t all = from_hex(rows[r].sealed[1], packet);
		uint32_t told, right = (uint32_t)(all - 4) -
				       (uint32_t)ssh_cipher_tag_bytes(&d);

		from_hex(rows[r].sealed[0], packet);
		assert_int_equal(receive(&d, packet, &told), 0);
		from_hex(rows[r].sealed[1], packet);
		packet[3] ^= 0x10;
		assert_int_equal(
		    ssh_cipher_length(engine, &d, packet, &told), 0);
		assert_int_not_equal(told, right);
		assert_int_equal(
		    ssh_cipher_open(engine, &d, packet, right), -1);
	}
}

static void
test_a_packet_of_another_sequence_number_is_refused(void **state)
{
	for (size_t r = 0; r < ROWS; r++) {
		struct ssh_direction d = direction(rows[r].cipher, rows[r].mac);
		uint8_t packet[PACKET_MAX];
		uint32_t told;

		/* gcm's nonce is its own counter and not the number. */
		if (d.cipher == SSH_CIPHER_AES256_GCM ||
		    d.cipher == SSH_CIPHER_AES128_GCM)
			d.iv[11]--;
		d.sequence--;
		from_hex(rows[r].sealed[0], packet);
		assert_int_equal(
		    ssh_cipher_length(engine, &d, packet, &told), 0);
		assert_int_equal(ssh_cipher_open(engine, &d, packet, 16), -1);
	}
}

static void
test_a_replayed_packet_is_refused(void **state)
{
	for (size_t r = 0; r < ROWS; r++) {
		struct ssh_direction d = direction(rows[r].cipher, rows[r].mac);
		uint8_t packet[PACKET_MAX];
		uint32_t told, again;

		from_hex(rows[r].sealed[0], packet);
		assert_int_equal(receive(&d, packet, &told), 0);
		from_hex(rows[r].sealed[0], packet);
		assert_int_equal(
		    ssh_cipher_length(engine, &d, packet, &again), 0);
		assert_int_equal(ssh_cipher_open(engine, &d, packet, told), -1);
	}
}

static void
test_lengths_out_of_step_with_the_blocks_are_refused(void **state)
{
	static uint8_t packet[PACKET_MAX];
	static const uint32_t wrong[] = {
	    0, 1, 7, 9, 15, 17, 0x10000001, 0xfffffff0, UINT32_MAX};

	for (size_t r = 0; r < ROWS; r++) {
		for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
			struct ssh_direction d =
			    direction(rows[r].cipher, rows[r].mac);

			assert_int_equal(
			    ssh_cipher_open(engine, &d, packet, wrong[i]), -1);
			assert_int_equal(
			    ssh_cipher_seal(engine, &d, packet, wrong[i]), -1);
			assert_int_equal(d.sequence, UINT32_MAX);
		}
	}
}

static void
test_ctr_without_a_mac_does_nothing(void **state)
{
	struct ssh_direction d = direction(SSH_CIPHER_AES256_CTR, SSH_MAC_NONE);
	uint8_t packet[PACKET_MAX] = {0};

	assert_int_equal(ssh_cipher_seal(engine, &d, packet, 28), -1);
	assert_int_equal(ssh_cipher_open(engine, &d, packet, 28), -1);
}

static void
test_before_the_first_keys_a_packet_stays_as_it_is(void **state)
{
	struct ssh_direction d = {.sequence = UINT32_MAX};
	uint8_t packet[PACKET_MAX], before[PACKET_MAX];
	uint32_t length = make_packet(&d, (const uint8_t *)"abc", 3, packet);
	uint32_t told;

	memcpy(before, packet, 4 + length);
	assert_int_equal(ssh_cipher_tag_bytes(&d), 0);
	assert_int_equal(ssh_cipher_head_bytes(&d), 4);
	assert_int_equal(ssh_cipher_seal(engine, &d, packet, length), 0);
	assert_int_equal(d.sequence, 0);
	assert_memory_equal(packet, before, 4 + length);
	assert_int_equal(receive(&d, packet, &told), 0);
	assert_int_equal(told, length);
	assert_int_equal(d.sequence, 1);
	assert_memory_equal(packet, before, 4 + length);
}

static void
test_padding_is_the_shortest_that_rfc_4253_allows(void **state)
{
	for (size_t r = 0; r <= ROWS; r++) {
		struct ssh_direction d =
		    r == ROWS ? (struct ssh_direction){0}
			      : direction(rows[r].cipher, rows[r].mac);
		const struct ssh_mac_facts *mac =
		    ssh_mac_facts((enum ssh_mac)d.mac);
		const struct ssh_cipher_facts *cipher =
		    ssh_cipher_facts((enum ssh_cipher)d.cipher);
		size_t counted = cipher->is_aead || mac->is_etm ? 0 : 4;

		for (size_t payload = 0; payload < 70; payload++) {
			size_t padding = ssh_cipher_padding(&d, payload);

			assert_in_range(
			    padding, 4, 4 + cipher->block_bytes - 1);
			assert_int_equal((counted + 1 + payload + padding) %
					     cipher->block_bytes,
			    0);
		}
	}
}

/* One packet from an engine to another, by keys that both are given. */
static void
pass(struct ssh_engine *from, struct ssh_engine *to, struct ssh_direction d)
{
	struct ssh_direction s = d, o = d;
	uint8_t packet[PACKET_MAX];
	uint32_t told,
	    length = make_packet(&s, (const uint8_t *)"abcdef", 6, packet);

	assert_int_equal(ssh_cipher_seal(from, &s, packet, length), 0);
	assert_int_equal(ssh_cipher_length(to, &o, packet, &told), 0);
	assert_int_equal(told, length);
	assert_int_equal(ssh_cipher_open(to, &o, packet, told), 0);
	assert_memory_equal(packet + 5, "abcdef", 6);
}

/*
 * An engine that has served other connections, their keys different in one
 * byte, must do as one that has not.
 */
static void
test_no_former_connections_key_is_used_again(void **state)
{
	for (size_t r = 0; r < ROWS; r++) {
		const struct ssh_direction first =
		    direction(rows[r].cipher, rows[r].mac);
		size_t key_bytes = ssh_cipher_facts(rows[r].cipher)->key_bytes;
		size_t both = key_bytes + ssh_mac_facts(rows[r].mac)->key_bytes;

		for (size_t i = 0; i < both; i++) {
			struct ssh_engine *fresh = ssh_engine_new(NULL);
			struct ssh_direction other = first;

			assert_non_null(fresh);
			if (i < key_bytes)
				other.key[i] ^= 1;
			else
				other.mac_key[i - key_bytes] ^= 1;
			pass(engine, engine, first);
			pass(engine, fresh, other);
			pass(engine, engine, first);
			pass(fresh, engine, other);
			ssh_engine_free(fresh);
		}
	}
}

static void
test_a_failure_does_not_spoil_the_next_packet(void **state)
{
	for (size_t r = 0; r < ROWS; r++) {
		struct ssh_direction d = direction(rows[r].cipher, rows[r].mac);
		uint8_t packet[PACKET_MAX];
		size_t all = from_hex(rows[r].sealed[0], packet);
		uint32_t told;

		packet[all - 1] ^= 1;
		assert_int_equal(receive(&d, packet, &told), -1);
		from_hex(rows[r].sealed[0], packet);
		assert_int_equal(receive(&d, packet, &told), 0);
	}
}

static void
test_packets_of_every_length_go_round(void **state)
{
	static const uint8_t payload[PAYLOAD_MAX] = {1, 2, 3};
	uint8_t packet[PACKET_MAX];

	for (size_t r = 0; r < ROWS; r++) {
		struct ssh_direction s = direction(rows[r].cipher, rows[r].mac);
		struct ssh_direction o = s;
		uint32_t told, length;

		for (size_t len = 0; len <= sizeof payload; len++) {
			length = make_packet(&s, payload, len, packet);
			assert_int_equal(
			    ssh_cipher_seal(engine, &s, packet, length), 0);
			assert_int_equal(receive(&o, packet, &told), 0);
			assert_memory_equal(packet + 5, payload, len);
		}
	}
}

static void
test_the_largest_packets_go_round(void **state)
{
	static uint8_t payload[35000], packet[36000];

	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7);
	for (size_t r = 0; r < ROWS; r++) {
		struct ssh_direction s = direction(rows[r].cipher, rows[r].mac);
		struct ssh_direction o = s;
		uint32_t told, length;

		for (size_t i = 0; i < 3; i++) {
			length =
			    make_packet(&s, payload, sizeof payload, packet);
			assert_int_equal(
			    ssh_cipher_seal(engine, &s, packet, length), 0);
			assert_int_equal(receive(&o, packet, &told), 0);
			assert_memory_equal(
			    packet + 5, payload, sizeof payload);
		}
	}
}

static void
test_facts_are_those_of_the_documents(void **state)
{
	static const struct {
		enum ssh_cipher cipher;
		struct ssh_cipher_facts facts;
	} wanted[] = {
	    {SSH_CIPHER_CHACHA20_POLY1305,
		{"chacha20-poly1305@openssh.com", 64, 0, 8, true}},
	    {SSH_CIPHER_AES256_GCM,
		{"aes256-gcm@openssh.com", 32, 12, 16, true}},
	    {SSH_CIPHER_AES128_GCM,
		{"aes128-gcm@openssh.com", 16, 12, 16, true}},
	    {SSH_CIPHER_AES256_CTR, {"aes256-ctr", 32, 16, 16, false}},
	    {SSH_CIPHER_AES128_CTR, {"aes128-ctr", 16, 16, 16, false}},
	};
	struct ssh_direction d = {.cipher = SSH_CIPHER_AES128_CTR};

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		const struct ssh_cipher_facts *facts =
		    ssh_cipher_facts(wanted[i].cipher);

		assert_string_equal(facts->name, wanted[i].facts.name);
		assert_int_equal(facts->key_bytes, wanted[i].facts.key_bytes);
		assert_int_equal(facts->iv_bytes, wanted[i].facts.iv_bytes);
		assert_int_equal(
		    facts->block_bytes, wanted[i].facts.block_bytes);
		assert_int_equal(facts->is_aead, wanted[i].facts.is_aead);
	}
	d.mac = SSH_MAC_SHA2_512;
	assert_int_equal(ssh_cipher_tag_bytes(&d), 64);
	assert_int_equal(ssh_cipher_head_bytes(&d), 16);
	d.mac = SSH_MAC_SHA2_256_ETM;
	assert_int_equal(ssh_cipher_tag_bytes(&d), 32);
	assert_int_equal(ssh_cipher_head_bytes(&d), 4);
	d.cipher = SSH_CIPHER_AES128_GCM;
	d.mac = SSH_MAC_NONE;
	assert_int_equal(ssh_cipher_tag_bytes(&d), 16);
	assert_int_equal(ssh_cipher_head_bytes(&d), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_packets_are_sealed_as_the_documents_say),
	    cmocka_unit_test(test_packets_are_opened_as_the_documents_say),
	    cmocka_unit_test(test_a_change_of_any_byte_is_found),
	    cmocka_unit_test(test_a_changed_length_field_is_found_by_the_tag),
	    cmocka_unit_test(
		test_a_packet_of_another_sequence_number_is_refused),
	    cmocka_unit_test(test_a_replayed_packet_is_refused),
	    cmocka_unit_test(
		test_lengths_out_of_step_with_the_blocks_are_refused),
	    cmocka_unit_test(test_ctr_without_a_mac_does_nothing),
	    cmocka_unit_test(
		test_before_the_first_keys_a_packet_stays_as_it_is),
	    cmocka_unit_test(test_padding_is_the_shortest_that_rfc_4253_allows),
	    cmocka_unit_test(test_no_former_connections_key_is_used_again),
	    cmocka_unit_test(test_a_failure_does_not_spoil_the_next_packet),
	    cmocka_unit_test(test_packets_of_every_length_go_round),
	    cmocka_unit_test(test_the_largest_packets_go_round),
	    cmocka_unit_test(test_facts_are_those_of_the_documents),
	};

	return cmocka_run_group_tests_name(
	    "ssh_cipher", tests, make_engine, free_engine);
}
