"""The rule of records about processes, threads and images: who lives, how many came (14.5)."""

from __future__ import annotations

from . import facts as f
from .books import Books, Concept, Cut, Handler
from .facts import Fact
from .lives import add


class LifeRule(Concept):
    """Starts, ends and rundowns."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        # Those that were there before the trace live in it from its beginning.
        for life in books.lives.threads:
            if life.begin is None and life.process is not None:
                life.process.threads[life.tid] = life
                life.is_counted = True

    def handlers(self) -> dict[int, Handler]:
        return {
            f.PROCESS_START: self._process_start,
            f.PROCESS_END: self._process_end,
            **dict.fromkeys(f.THREAD_HOOKS, self._thread),
            **dict.fromkeys(f.IMAGE_HOOKS, self._image),
        }

    def _process_start(self, position: int, fact: Fact) -> None:
        add(self.books.counters_of_process(fact[4][1], position), "processes_started", 1)

    def _process_end(self, position: int, fact: Fact) -> None:
        add(self.books.counters_of_process(fact[4][1], position), "processes_ended", 1)
        ended = self.books.lives.process(fact[4][1], position)
        if ended is not None:
            ended.threads.clear()  # whatever of their ends was lost

    def _thread(self, position: int, fact: Fact) -> None:
        hook = fact[2]
        lives = self.books.lives
        life = lives.thread(fact[4][1], position)
        if life is None or life.process is None or life is lives.idle:
            return
        process = life.process
        if hook != f.THREAD_END and not life.is_counted:
            process.threads[life.tid] = life
        life.is_counted = True
        if hook == f.THREAD_START:
            add(process.counters, "threads_started", 1)
        elif hook == f.THREAD_END:
            process.threads.pop(life.tid, None)
            add(process.counters, "threads_ended", 1)

    def _image(self, position: int, fact: Fact) -> None:
        hook, data = fact[2], fact[4]
        process = self.books.lives.process(data[2], position)
        if process is None:
            return
        base, path = data[0], data[6]
        if hook == f.IMAGE_LOAD:
            add(process.counters, "images_loaded", 1)
        if hook == f.IMAGE_UNLOAD:
            add(process.counters, "images_unloaded", 1)
            process.images.pop(base, None)
        else:
            process.images[base] = path
        process.all_images[base] = path

    def cut(self, cut: Cut, position: int) -> None:
        cut.threads.extend(frozenset(life.threads) for life in self.books.lives.processes)
