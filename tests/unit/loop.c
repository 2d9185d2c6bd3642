#include "sys/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include "sys/acceptor.h"
#include "sys/clock.h"
#include "sys/signals.h"
#include "unit.h"

enum { ENDS = 600 };

struct end {
	struct watch watch;
	struct deadline deadline;
	unsigned heard;
	uint32_t events;
	struct end *other; /* watch to end when this one gets an event */
};

static struct loop loop;
static struct end ends[ENDS];
static struct end *passed[ENDS];
static size_t passed_count;

static void
heard(struct loop *l, struct watch *watch, uint32_t events)
{
	struct end *e = (struct end *)watch;

	e->heard++;
	e->events = events;
	if (e->other != NULL) {
		watch_close(l, &e->other->watch);
		watch_close(l, &e->watch);
	}
}

static void
note_passed(struct loop *l, struct deadline *deadline)
{
	(void)l;
	passed[passed_count++] = (struct end *)((char *)deadline - offsetof(struct end, deadline));
}

/* Two watched ends of a socket pair. */
static void
pair(struct end *a, struct end *b)
{
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	*a = (struct end){.watch.ready = heard};
	*b = (struct end){.watch.ready = heard};
	CHECK(watch_begin(&loop, &a->watch, fds[0], EPOLLIN) == 0);
	CHECK(watch_begin(&loop, &b->watch, fds[1], EPOLLIN) == 0);
}

static void
log_to(const struct end *e)
{
	CHECK(send(e->watch.fd, "x", 1, MSG_NOSIGNAL) == 1);
}

BEFORE_ALL
{
	CHECK(loop_open(&loop) == 0);
}

BEFORE_EACH
{
	for (size_t i = 0; i < ENDS; i++)
		ends[i] = (struct end){.watch.fd = -1};
	passed_count = 0;
}

AFTER_EACH
{
	for (size_t i = 0; i < ENDS; i++)
		if (ends[i].watch.fd >= 0)
			watch_close(&loop, &ends[i].watch);
}

TEST(unread_data_is_reported_again)
{
	char byte;

	pair(&ends[0], &ends[1]);
	log_to(&ends[0]);
	CHECK(loop_turn(&loop) == 0);
	CHECK(loop_turn(&loop) == 0);
	CHECK(ends[1].heard == 2 && ends[1].events == EPOLLIN && ends[0].heard == 0);
	CHECK(read(ends[1].watch.fd, &byte, 1) == 1);
	watch_want(&loop, &ends[0].watch, EPOLLOUT);
	CHECK(loop_turn(&loop) == 0);
	CHECK(ends[1].heard == 2 && ends[0].heard == 1 && ends[0].events == EPOLLOUT);
	watch_close(&loop, &ends[0].watch);
	CHECK(loop_turn(&loop) == 0);
	CHECK((ends[1].events & EPOLLHUP) != 0);
}

TEST(an_ended_watch_gets_no_event_of_the_same_turn)
{
	char byte;

	pair(&ends[0], &ends[1]);
	pair(&ends[2], &ends[3]);
	log_to(&ends[0]);
	log_to(&ends[2]);
	ends[1].other = &ends[3];
	ends[3].other = &ends[1];
	CHECK(loop_turn(&loop) == 0);
	CHECK(ends[1].heard + ends[3].heard == 1);
	CHECK(ends[1].watch.fd == -1 && ends[3].watch.fd == -1);

	pair(&ends[4], &ends[5]);
	log_to(&ends[4]);
	watch_end(&loop, &ends[5].watch);
	CHECK(read(ends[5].watch.fd, &byte, 1) == 1);
	watch_want(&loop, &ends[4].watch, EPOLLOUT);
	CHECK(loop_turn(&loop) == 0);
	CHECK(ends[5].heard == 0 && ends[4].heard == 1);
	(void)close(ends[5].watch.fd);
	ends[5].watch.fd = -1;
}

TEST(reported_watches_come_after_the_others)
{
	unsigned told = 0;

	for (size_t i = 0; i < ENDS; i += 2) {
		pair(&ends[i], &ends[i + 1]);
		log_to(&ends[i]);
	}
	for (int turn = 0; turn < 2; turn++)
		CHECK(loop_turn(&loop) == 0);
	for (size_t i = 0; i < ENDS; i++)
		told += ends[i].heard > 0;
	CHECK(told == ENDS / 2);
}

static void
heard_in_time(struct loop *l, struct watch *watch, uint32_t events)
{
	(void)l;
	(void)events;
	deadline_drop(&((struct end *)watch)->deadline);
	((struct end *)watch)->heard++;
	watch_want(&loop, watch, 0);
}

TEST(after_a_pause_all_is_read_before_a_deadline_passes)
{
	static struct deadlines limits;
	unsigned told = 0;

	deadlines_begin(&loop, &limits, 20, note_passed);
	loop.now = clock_ms();
	for (size_t i = 0; i < ENDS; i += 2) {
		pair(&ends[i], &ends[i + 1]);
		ends[i].watch.ready = heard_in_time;
		log_to(&ends[i + 1]);
		deadline_set(&loop, &limits, &ends[i].deadline);
	}
	deadline_set(&loop, &limits, &ends[1].deadline); /* the silent one */
	(void)nanosleep(&(struct timespec){.tv_nsec = 40 * 1000 * 1000}, NULL);
	while (passed_count == 0)
		CHECK(loop_turn(&loop) == 0);
	for (size_t i = 0; i < ENDS; i += 2)
		told += ends[i].heard;
	CHECK(told == ENDS / 2 && passed_count == 1 && passed[0] == &ends[1]);
}

static void
slow(struct loop *l, struct watch *watch, uint32_t events)
{
	(void)l;
	(void)events;
	((struct end *)watch)->heard++;
	(void)nanosleep(&(struct timespec){.tv_nsec = (LOOP_TURN_MS + 1) * 1000 * 1000}, NULL);
}

TEST(a_turn_is_bounded_in_time_and_the_rest_of_its_batch_comes_next)
{
	for (size_t i = 0; i < 6; i += 2) {
		pair(&ends[i], &ends[i + 1]);
		ends[i + 1].watch.ready = slow;
		log_to(&ends[i]);
	}
	for (unsigned turn = 1; turn <= 6; turn++) {
		CHECK(loop_turn(&loop) == 0);
		CHECK(ends[1].heard + ends[3].heard + ends[5].heard == turn);
	}
	CHECK(ends[1].heard == 2 && ends[3].heard == 2 && ends[5].heard == 2);
}

TEST(deadlines_pass_in_their_order_and_not_before)
{
	static struct deadlines longer, shorter;
	int64_t began = clock_ms();

	deadlines_begin(&loop, &longer, 60, note_passed);
	deadlines_begin(&loop, &shorter, 20, note_passed);
	loop.now = began;
	deadline_set(&loop, &longer, &ends[0].deadline);
	deadline_set(&loop, &shorter, &ends[1].deadline);
	deadline_set(&loop, &shorter, &ends[2].deadline);
	deadline_set(&loop, &shorter, &ends[3].deadline);
	deadline_drop(&ends[2].deadline);
	deadline_drop(&ends[2].deadline);
	loop.now = began + 5;
	deadline_set(&loop, &shorter, &ends[1].deadline); /* moved after the last */
	while (passed_count < 3)
		CHECK(loop_turn(&loop) == 0);
	CHECK(passed[0] == &ends[3] && passed[1] == &ends[1] && passed[2] == &ends[0]);
	CHECK(clock_ms() - began >= 60);
	CHECK(ends[0].deadline.next == NULL && longer.ring.next == &longer.ring && shorter.ring.next == &shorter.ring);
}

static void
slow_passed(struct loop *l, struct deadline *deadline)
{
	note_passed(l, deadline);
	(void)nanosleep(&(struct timespec){.tv_nsec = (LOOP_TURN_MS + 1) * 1000 * 1000}, NULL);
}

TEST(handlers_of_deadlines_do_not_delay_events_for_longer_than_a_turn)
{
	static struct deadlines now;

	deadlines_begin(&loop, &now, 1, slow_passed);
	pair(&ends[0], &ends[1]);
	log_to(&ends[0]);
	for (size_t i = 1; i <= 3; i++)
		deadline_set_at(&now, &ends[i].deadline, clock_ms() - 1);
	for (unsigned turn = 1; turn <= 3; turn++)
		CHECK(loop_turn(&loop) == 0 && passed_count == turn && ends[1].heard == turn);
}

TEST(deadlines_with_times_of_their_own_pass_in_the_order_of_these)
{
	static struct deadlines any;
	int64_t began = clock_ms();

	deadlines_begin(&loop, &any, 1, note_passed);
	deadline_set_at(&any, &ends[0].deadline, began + 1);
	deadline_set_at(&any, &ends[1].deadline, began + 20);
	deadline_set_at(&any, &ends[0].deadline, began + 30);
	deadline_set_at(&any, &ends[2].deadline, began + 10);
	while (passed_count < 3)
		CHECK(loop_turn(&loop) == 0);
	CHECK(passed[0] == &ends[2] && passed[1] == &ends[1] && passed[2] == &ends[0] && clock_ms() - began >= 30);
}

TEST(an_acceptor_that_cannot_watch_a_listener_watches_none)
{
	static struct acceptor acceptor;
	static struct listeners listeners = {.count = 3};
	size_t before = loop.watched;

	listeners.fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	listeners.fds[1] = open("/", O_RDONLY); /* EPERM */
	listeners.fds[2] = socket(AF_UNIX, SOCK_STREAM, 0);
	acceptor.listeners = &listeners;
	acceptor_begin(&loop, &acceptor);
	acceptor_start(&loop, &acceptor);
	CHECK(loop.watched == before && acceptor.pause.next != NULL);
	acceptor_stop(&loop, &acceptor);
	listeners.count = 1;
	acceptor_retry(&loop, &acceptor);
	acceptor_start(&loop, &acceptor);
	CHECK(loop.watched == before + 1);
	acceptor_stop(&loop, &acceptor);
	CHECK(loop.watched == before);
	for (size_t i = 0; i < 3; i++)
		close(listeners.fds[i]);
}

TEST(a_watch_that_cannot_be_changed_is_an_error_of_the_turn)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	pair(&ends[0], &ends[1]);
	log_to(&ends[0]);
	CHECK(dup2(file, ends[1].watch.fd) >= 0); /* EPERM */
	watch_want(&loop, &ends[1].watch, 0);
	CHECK(loop_turn(&loop) == -1 && errno == EPERM);
	loop.error = 0;
	(void)close(file);
	(void)close(ends[1].watch.fd);
	ends[1].watch.fd = -1;
}

TEST(a_signal_ends_the_wait_and_is_delivered_even_if_events_are_always_pending)
{
	static const int numbers[] = {SIGUSR1};
	int turns = 0;

	signals_catch(numbers, 1);
	(void)raise(SIGUSR1);
	CHECK(!signals_take(SIGUSR1));
	CHECK(loop_turn(&loop) == 0);
	CHECK(signals_take(SIGUSR1));

	pair(&ends[0], &ends[1]);
	log_to(&ends[0]);
	CHECK(loop_turn(&loop) == 0);
	(void)raise(SIGUSR1);
	while (!signals_take(SIGUSR1) && turns++ < 10000000)
		CHECK(loop_turn(&loop) == 0);
	CHECK(turns < 10000000);
}
