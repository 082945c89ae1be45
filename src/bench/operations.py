"""The same operations in Python: python3 THIS KEY COUNT PROCESSES prints nanoseconds each; also by python3 -c, but for the forkserver."""
import multiprocessing
import sys
import threading
import time

# What runs with -c has no file that the other start methods could load.
mp = multiprocessing.get_context("fork")
END = 1_000_000


def measure(work, count):
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / count


def job(q):
    res = 0
    for i in range(END):
        res += i + i**2 + i**3
    if q is None:
        return res
    q.put(res)


def check(total):
    n = END
    assert total == 2 * (n * (n - 1) // 2 + (n - 1) * n * (2 * n - 1) // 6 + (n * (n - 1) // 2) ** 2)


def sum_normal(count, processes):
    return measure(lambda: check(job(None) + job(None)), 1)


def two(kind):
    def work():
        q = mp.Queue()
        both = [kind(target=job, args=(q,)) for _ in range(2)]
        for one in both:
            one.start()
        total = q.get() + q.get()
        for one in both:
            one.join()
        check(total)

    return measure(work, 1)


def sum_threads(count, processes):
    return two(threading.Thread)


def sum_processes(count, processes):
    return two(mp.Process)


def put(q, count):
    item = bytes(64)
    for _ in range(count):
        q.put(item)


def queue(producers, count, kind=mp.Queue):
    share = -(-count // producers)
    q = kind()
    those = [mp.Process(target=put, args=(q, share)) for _ in range(producers)]
    for one in those:
        one.start()
    q.get()
    rest = share * producers - 1

    def work():
        for _ in range(rest):
            q.get()

    result = measure(work, rest)
    for one in those:
        one.join()
    return result


def queue_1(count, processes):
    return queue(1, count)


def simple_queue(count, processes):
    return queue(1, count, mp.SimpleQueue)


def queue_4(count, processes):
    return queue(4, count)


def echo(connection):
    while True:
        number = connection.recv()
        if number is None:
            return
        connection.send(number)


def pipe(count, processes):
    here, there = mp.Pipe()
    other = mp.Process(target=echo, args=(there,))
    other.start()

    def work(times):
        for number in range(times):
            here.send(number)
            assert here.recv() == number

    work(1)
    result = measure(lambda: work(count), count)
    here.send(None)
    other.join()
    return result


def square(x):
    return x * x


def pool_map(count, processes, chunk):
    with mp.Pool(processes) as pool:
        pool.map(square, range(processes * 8))
        result = measure(lambda: pool.map(square, range(count), chunk), count)
        pool.close()
        pool.join()
    return result


def pool_map_default(count, processes):
    return pool_map(count, processes, None)


def pool_map_1(count, processes):
    return pool_map(count, processes, 1)


def pool_apply(count, processes):
    with mp.Pool(processes) as pool:
        pool.apply(square, (0,))

        def work():
            for number in range(count):
                assert pool.apply(square, (number,)) == number * number

        result = measure(work, count)
        pool.close()
        pool.join()
    return result


def pairs(lock, count):
    for _ in range(count):
        lock.acquire()
        lock.release()


def lock(count, processes):
    own = mp.Lock()
    return measure(lambda: pairs(own, count), count)


def meet_and_pair(own, other, count, times):
    other.send(1)
    other.recv()
    times.put(measure(lambda: pairs(own, count), 1))


def lock_2(count, processes):
    own, times, ends = mp.Lock(), mp.Queue(), mp.Pipe()
    share = -(-count // 2)
    both = [mp.Process(target=meet_and_pair, args=(own, end, share, times)) for end in ends]
    for one in both:
        one.start()
    longest = max(times.get(), times.get())
    for one in both:
        one.join()
    return longest / (2 * share)


def value_add(count, processes):
    v = mp.Value("q", 0)

    def work():
        for _ in range(count):
            with v.get_lock():
                v.value += 1

    result = measure(work, count)
    assert v.value == count
    return result


def nothing():
    pass


def starts(context, target, count):
    def work(times):
        for _ in range(times):
            p = context.Process(target=target)
            p.start()
            p.join()
            assert p.exitcode == 0

    work(1)
    return measure(lambda: work(count), count)


def process(count, processes):
    return starts(mp, nothing, count)


def process_forkserver(count, processes):
    return starts(multiprocessing.get_context("forkserver"), nothing, count)


def manager_dict(count, processes):
    with mp.Manager() as manager:
        d = manager.dict()

        def work():
            for number in range(count):
                d["x"] = number

        result = measure(work, count)
        assert d["x"] == count - 1
    return result


if __name__ == "__main__":
    print(globals()[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3])))
