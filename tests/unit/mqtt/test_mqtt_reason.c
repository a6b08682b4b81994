#include "mqtt_reason.h"

#include "make.h"

static const uint8_t answers[] = {MQTT_CONNACK, MQTT_PUBACK, MQTT_PUBREC,
    MQTT_PUBREL, MQTT_PUBCOMP, MQTT_SUBACK, MQTT_UNSUBACK, MQTT_DISCONNECT,
    MQTT_AUTH};

/* Tables 3-1 and 3-4 to 3-11, each typed off; 8c in DISCONNECT is of 2-6. */
static const struct {
	uint8_t type;
	const char *codes;
	size_t count;
} tables[] = {
#define ROW(type, codes)                                                       \
	{                                                                      \
		MQTT_##type, codes, sizeof codes - 1                           \
	}
    ROW(CONNACK, "\x00\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90"
		 "\x95\x97\x99\x9a\x9b\x9c\x9d\x9f"),
    ROW(PUBACK, "\x00\x10\x80\x83\x87\x90\x91\x97\x99"),
    ROW(PUBREC, "\x00\x10\x80\x83\x87\x90\x91\x97\x99"),
    ROW(PUBREL, "\x00\x92"),
    ROW(PUBCOMP, "\x00\x92"),
    ROW(SUBACK, "\x00\x01\x02\x80\x83\x87\x8f\x91\x97\x9e\xa1\xa2"),
    ROW(UNSUBACK, "\x00\x11\x80\x83\x87\x8f\x91"),
    ROW(DISCONNECT, "\x00\x04\x80\x81\x82\x83\x87\x89\x8b\x8c\x8d\x8e\x8f\x90"
		    "\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa0"
		    "\xa1\xa2"),
    ROW(AUTH, "\x00\x18\x19"),
#undef ROW
};

static void
test_each_packet_has_the_codes_of_its_table(void **state)
{
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		for (unsigned code = 0; code < 256; code++) {
			bool has = memchr(tables[i].codes, (int)code,
				       tables[i].count) != NULL;

			if (mqtt_reason_fits((uint8_t)code, tables[i].type) !=
			    has)
				fail_msg("%02x in %s: %d", code,
				    mqtt_type_name(tables[i].type), !has);
		}
	}
}

static void
test_packets_without_a_code_have_none(void **state)
{
	static const uint8_t types[] = {MQTT_CONNECT, MQTT_PUBLISH,
	    MQTT_SUBSCRIBE, MQTT_UNSUBSCRIBE, MQTT_PINGREQ, MQTT_PINGRESP};

	for (size_t i = 0; i < sizeof types; i++) {
		for (unsigned code = 0; code < 256; code++)
			assert_false(mqtt_reason_fits((uint8_t)code, types[i]));
	}
}

static void
test_every_code_is_told_in_words(void **state)
{
	for (size_t i = 0; i < sizeof answers; i++) {
		for (unsigned code = 0; code < 256; code++) {
			for (uint8_t level = 3; level <= 5; level++) {
				const struct mqtt_reason *r = mqtt_reason_find(
				    (uint8_t)code, answers[i], level);

				if (level == 5)
					assert_int_equal(r != NULL,
					    mqtt_reason_fits(
						(uint8_t)code, answers[i]));
				if (r == NULL)
					continue;
				assert_int_equal(r->code, code);
				assert_true(strlen(r->name) > 3);
				assert_true(strlen(r->cause) > 10);
				assert_int_not_equal(
				    r->cause[strlen(r->cause) - 1], '.');
			}
		}
	}
}

static void
test_old_connacks_have_six_codes(void **state)
{
	for (unsigned code = 0; code < 256; code++)
		assert_int_equal(
		    mqtt_reason_find((uint8_t)code, MQTT_CONNACK, 4) != NULL,
		    code <= 5);
	assert_string_equal(
	    mqtt_reason_find(5, MQTT_CONNACK, 4)->name, "not authorized");
	assert_string_equal(
	    mqtt_reason_find(0x87, MQTT_CONNACK, 5)->name, "Not authorized");
	assert_string_equal(mqtt_reason_find(0, MQTT_DISCONNECT, 5)->name,
	    "Normal disconnection");
}

static void
test_a_return_code_is_one_of_connacks(void **state)
{
	for (unsigned code = 0; code < 256; code++) {
		uint8_t old = mqtt_reason_to_return_code((uint8_t)code);

		assert_true(old <= 5);
		if (old != 0)
			assert_true(
			    mqtt_reason_fits((uint8_t)code, MQTT_CONNACK) ||
			    code == MQTT_SERVER_SHUTTING_DOWN);
	}
	assert_int_equal(mqtt_reason_to_return_code(MQTT_NOT_AUTHORIZED), 5);
	assert_int_equal(mqtt_reason_to_return_code(MQTT_PROTOCOL_ERROR), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_packet_has_the_codes_of_its_table),
	    cmocka_unit_test(test_packets_without_a_code_have_none),
	    cmocka_unit_test(test_every_code_is_told_in_words),
	    cmocka_unit_test(test_old_connacks_have_six_codes),
	    cmocka_unit_test(test_a_return_code_is_one_of_connacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
