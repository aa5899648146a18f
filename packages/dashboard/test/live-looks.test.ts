import { Client, memoryWorld, virtualClock } from "@perdure/core/testing";
import type { Hint, World } from "@perdure/core/world";
import { expect, it } from "vitest";
import { KeptAnswers } from "../src/kept-answers.ts";
import { type LiveEvent, LiveLooks, type Question } from "../src/live/live-looks.ts";

// How often the store is asked, under a clock that the test moves.

interface Watching {
  readonly looks: LiveLooks;
  readonly clock: ReturnType<typeof virtualClock>;
  /** Tells all who listen to the World. */
  hint(hint: Hint): void;
  /** How many listen. */
  readonly listening: () => number;
}

function watching(notifications = true): Watching {
  const clock = virtualClock();
  const listeners = new Set<(hint: Hint) => void>();
  const memory = memoryWorld();
  const world: World = Object.create(memory, {
    capabilities: { value: { ...memory.capabilities, notifications } },
    subscribe: {
      value: (listener: (hint: Hint) => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  });
  return {
    clock,
    looks: new LiveLooks(new Client({ world, clock }), clock),
    hint: (hint) => {
      for (const listener of listeners) listener(hint);
    },
    listening: () => listeners.size,
  };
}

/** A question that counts how often it is asked, and answers what it is told to. */
function counted(key: string, runId: string | null = null): Question & { asked: number; answer: unknown } {
  const question = {
    ...{ key, runId, asked: 0, answer: 1 as unknown },
    look: (): Promise<readonly LiveEvent[]> => {
      question.asked++;
      return Promise.resolve([{ event: "page", data: question.answer }]);
    },
  };
  return question;
}

it("asks once for all who watch the same, and tells each what it is now and what changes", async () => {
  const { looks, clock } = watching();
  const question = counted("runs");
  const [first, second]: [string[], string[]] = [[], []];
  looks.watch(question, (_, text) => first.push(text));
  await clock.advance(100);
  looks.watch({ ...question }, (_, text) => second.push(text));
  expect([first, second, question.asked]).toEqual([["1"], ["1"], 1]);
  question.answer = 2;
  await clock.advance(3_000);
  expect([first, second]).toEqual([
    ["1", "2"],
    ["1", "2"],
  ]);
});

it("looks when a hint comes, at most four times a second, and every two seconds without", async () => {
  const { looks, clock, hint } = watching();
  const question = counted("runs");
  looks.watch(question, () => {});
  await clock.advance(100);
  expect(question.asked).toBe(1);
  await clock.advance(8_000);
  expect(question.asked).toBe(5);
  for (let n = 0; n < 1_000; n++) {
    hint({ type: "due" });
    await clock.advance(10);
  }
  expect(question.asked - 5).toBeGreaterThan(30);
  expect(question.asked - 5).toBeLessThanOrEqual(41);
});

it("looks every second where the store tells of nothing", async () => {
  const { looks, clock } = watching(false);
  const question = counted("runs");
  looks.watch(question, () => {});
  await clock.advance(10_100);
  expect(question.asked).toBe(11);
});

it("looks at a run when it, or something unnamed, has changed", async () => {
  const { looks, clock, hint } = watching();
  const question = counted("run wrun_1", "wrun_1");
  looks.watch(question, () => {});
  await clock.advance(500);
  const asked = async (of: Hint): Promise<number> => {
    const before = question.asked;
    hint(of);
    await clock.advance(400);
    return question.asked - before;
  };
  expect(await asked({ type: "finished", runId: "wrun_2" })).toBe(0);
  expect(await asked({ type: "finished", runId: "wrun_1" })).toBe(1);
  expect(await asked({ type: "changed" })).toBe(1);
});

it("asks for nothing when nobody watches", async () => {
  const { looks, clock, listening } = watching();
  const question = counted("runs");
  const leave = looks.watch(question, () => {});
  const other = looks.watch(counted("other"), () => {});
  await clock.advance(1_000);
  leave();
  leave();
  other();
  const { asked } = question;
  await clock.advance(60_000);
  expect([question.asked, looks.size, listening()]).toEqual([asked, 0, 0]);
  looks.watch(question, () => {});
  await clock.advance(100);
  expect(question.asked).toBe(asked + 1);
});

it("looks seldom where a look takes long", async () => {
  const { looks, clock, hint } = watching();
  let asked = 0;
  const look = async (): Promise<readonly LiveEvent[]> => {
    asked++;
    await new Promise<void>((resolve) => void clock.setTimer(clock.now() + 1_000, resolve));
    return [];
  };
  looks.watch({ key: "slow", runId: null, look }, () => {});
  for (let n = 0; n < 500; n++) {
    hint({ type: "due" });
    await clock.advance(100);
  }
  expect(asked).toBeLessThanOrEqual(11);
});

it("keeps an answer for twenty times as long as it took, ten seconds at most, and no error", async () => {
  const clock = virtualClock();
  const kept = new KeptAnswers(clock);
  let asked = 0;
  const slow = (): Promise<number> =>
    kept.get("counts", async () => {
      await new Promise<void>((resolve) => void clock.setTimer(clock.now() + 100, resolve));
      return ++asked;
    });
  const both = [slow(), slow()];
  await clock.advance(100);
  expect(await Promise.all(both)).toEqual([1, 1]);
  await clock.advance(1_900);
  expect(await slow()).toBe(1);
  await clock.advance(200);
  const next = slow();
  await clock.advance(100);
  expect(await next).toBe(2);
  kept.clear();
  const cleared = slow();
  await clock.advance(100);
  expect(await cleared).toBe(3);
  const slowest = kept.get("slowest", async () => {
    await new Promise<void>((resolve) => void clock.setTimer(clock.now() + 5_000, resolve));
    return 1;
  });
  await clock.advance(5_000);
  await slowest;
  await clock.advance(10_100);
  expect(await kept.get("slowest", () => Promise.resolve(2))).toBe(2);
  await expect(kept.get("bad", () => Promise.reject(new Error("away")))).rejects.toThrow("away");
  expect(await kept.get("bad", () => Promise.resolve("there"))).toBe("there");
});
