#include "peers_private.h"

#include <stdlib.h>

static struct peers_command **
find(struct peers *peers, const char *holder, struct span id)
{
	struct peers_command **link = &peers->view;

	while (*link != NULL &&
	       ((*link)->holder != holder || !span_equal((*link)->held.id, id)))
		link = &(*link)->next;
	return link;
}

static void
drop(struct peers *peers, struct peers_command **link,
    const struct peer_message *ended)
{
	struct peers_command *command = *link;

	*link = command->next;
	peers->view_count--;
	peers->events.ended(peers->events.arg, command, ended);
	free(command);
}

static uint64_t
later(uint64_t now_ms, uint64_t left_ms)
{
	/* What is longer than a day is told again before. */
	const uint64_t day_ms = 24 * 3600 * 1000;

	return now_ms + (left_ms < day_ms ? left_ms : day_ms);
}

/*
 * Whoever is told of a command learns its id.  He must not show another one by
 * it, to whom it would be approved in its place: the first one has the id.
 */
static bool
is_taken(const struct peers *peers, const char *holder, struct span id)
{
	const struct peers_command *command = peers_find(peers, id);

	return approval_look(peers->table, id) != NULL ||
	       (command != NULL && command->holder != holder);
}

void
peers_view_hold(struct peers *peers, struct peers_peer_state *from,
    const struct peer_message *held, struct span bytes, uint64_t now_ms)
{
	struct peers_command **link = find(peers, from->name, held->id);
	struct peers_command *command = *link;
	uint64_t since_ms = held->held_ms < now_ms ? now_ms - held->held_ms : 0;

	if (is_taken(peers, from->name, held->id))
		return;
	/* Our word on that may have been lost, or come too early. */
	if (peers_was_stopped(peers, held->topic, since_ms))
		peers_tell_stop(peers, from, held->topic);
	if (command != NULL && !span_equal(command->held.nonce, held->nonce)) {
		drop(peers, link, NULL);
		command = NULL;
	}
	if (command != NULL) {
		command->heard_ms = now_ms;
		command->until_ms = later(now_ms, held->left_ms);
		return;
	}
	if (peers->view_count >= PEERS_COMMANDS_MAX || held->left_ms == 0)
		return;
	command = malloc(sizeof *command + bytes.len);
	if (command == NULL)
		return; /* it is told again */
	memcpy(command->bytes, bytes.data, bytes.len);
	(void)peer_message_decode(
	    span_of(command->bytes, bytes.len), &command->held);
	command->holder = from->name;
	command->heard_ms = now_ms;
	command->since_ms = since_ms;
	command->until_ms = later(now_ms, held->left_ms);
	command->next = peers->view;
	peers->view = command;
	peers->view_count++;
	peers->events.held(peers->events.arg, command);
}

void
peers_view_end(struct peers *peers, const struct peers_peer_state *from,
    const struct peer_message *ended)
{
	struct peers_command **link = find(peers, from->name, ended->id);

	if (*link != NULL && span_equal((*link)->held.nonce, ended->nonce))
		drop(peers, link, ended);
}

void
peers_view_forget(struct peers *peers, const struct peers_peer_state *from)
{
	struct peers_command **link = &peers->view;

	while (*link != NULL)
		if ((*link)->holder == from->name)
			drop(peers, link, NULL);
		else
			link = &(*link)->next;
}

void
peers_view_on_time(struct peers *peers, uint64_t now_ms)
{
	struct peers_command **link = &peers->view;

	while (*link != NULL)
		if (now_ms >= (*link)->until_ms ||
		    now_ms - (*link)->heard_ms >= PEERS_FORGET_MS)
			drop(peers, link, NULL);
		else
			link = &(*link)->next;
}

const struct peers_command *
peers_next(const struct peers *peers, const struct peers_command *command)
{
	return command == NULL ? peers->view : command->next;
}

const struct peers_command *
peers_find(const struct peers *peers, struct span id)
{
	const struct peers_command *command = peers->view;

	while (command != NULL && !span_equal(command->held.id, id))
		command = command->next;
	return command;
}
