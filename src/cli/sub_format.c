#include "sub_format.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool
sub_format_check(const char *format)
{
	for (; *format != '\0'; format++) {
		if (*format != '%')
			continue;
		format++;
		if (*format == '\0' || *format == ' ' ||
		    strchr(SUB_FORMAT_LETTERS, *format) == NULL)
			return false;
	}
	return true;
}

static void
print_hex(const struct mosquitto_message *message, FILE *to)
{
	const unsigned char *p = message->payload;

	for (int i = 0; i < message->payloadlen; i++)
		fprintf(to, "%02x", p[i]);
}

enum { TIME_SIZE = 40 };

static const char *
time_text(char text[TIME_SIZE])
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%S%z", &tm);
	return text;
}

static void
print_json(const struct mosquitto_message *message, FILE *to)
{
	json_t *payload =
	    json_stringn(message->payload != NULL ? message->payload : "",
		(size_t)message->payloadlen);
	char now[TIME_SIZE];
	json_t *object;

	/* What is no UTF-8 cannot be a JSON string. */
	if (payload == NULL)
		payload = json_null();
	/* The words, and 0 and 1, that mosquitto_sub writes. */
	object = json_pack("{s:s, s:s, s:i, s:i, s:i, s:o}", "tst",
	    time_text(now), "topic", message->topic, "qos", message->qos,
	    "retain", message->retain ? 1 : 0, "payloadlen",
	    message->payloadlen, "payload", payload);
	if (object != NULL && message->qos > 0)
		json_object_set_new(object, "mid", json_integer(message->mid));
	if (object != NULL)
		json_dumpf(object, to, JSON_COMPACT);
	json_decref(object);
}

static void
print_letter(char letter, const struct mosquitto_message *message, FILE *to)
{
	char now[TIME_SIZE];

	switch (letter) {
	case 't':
		fputs(message->topic, to);
		break;
	case 'p':
		fwrite(message->payload, 1, (size_t)message->payloadlen, to);
		break;
	case 'x':
		print_hex(message, to);
		break;
	case 'l':
		fprintf(to, "%d", message->payloadlen);
		break;
	case 'q':
		fprintf(to, "%d", message->qos);
		break;
	case 'r':
		fprintf(to, "%d", message->retain ? 1 : 0);
		break;
	case 'm':
		fprintf(to, "%d", message->mid);
		break;
	case 'I':
		fputs(time_text(now), to);
		break;
	case 'U':
		fprintf(to, "%lld", (long long)time(NULL));
		break;
	case 'j':
		print_json(message, to);
		break;
	default:
		fputc(letter, to);
	}
}

void
sub_format_print(
    const char *format, const struct mosquitto_message *message, FILE *to)
{
	static const char escapes[] = "n\nt\tr\r\\\\";

	for (; *format != '\0'; format++) {
		const char *found;

		if (*format == '%') {
			print_letter(*++format, message, to);
		} else if (*format == '\\' && format[1] != '\0' &&
			   (found = strchr(escapes, format[1])) != NULL &&
			   (found - escapes) % 2 == 0) {
			fputc(found[1], to);
			format++;
		} else {
			fputc(*format, to);
		}
	}
}
