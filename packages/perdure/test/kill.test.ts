import { expect, test } from "vitest";
import { place } from "./process.ts";

// `kill -9` of a worker between any two commits of a run.

test("kill -9 between any two commits of an 8-step run: every completed step's body ran once", async () => {
  const here = place();
  const kills = [
    ...Array.from({ length: 9 }, (_, index) => ({ when: "before", k: index + 1 })),
    ...[1, 2, 5, 8, 9].map((k) => ({ when: "after", k })),
  ];
  const waiting = [...kills];
  const next = async (): Promise<void> => {
    for (let kill = waiting.shift(); kill !== undefined; kill = waiting.shift()) {
      expect(await here.start("kill-at-commit", kill.when, kill.k).ended()).toBe("SIGKILL");
    }
  };
  await Promise.all([next(), next(), next()]);
  const names = kills.map(({ when, k }) => `${when} ${k}`);
  const finisher = here.start("finish-eight", ...names);
  expect(await finisher.ended()).toBe(0);
  expect(finisher.lines.toSorted()).toEqual(names.map((name) => `eight ${name} 36`).toSorted());

  const ledger = here.ledger();
  for (const { when, k } of kills) {
    const attempts = new Map<number, number[]>();
    const ids = new Map<number, Set<string>>();
    for (const line of ledger.filter((each) => each.startsWith(`${when} ${k} `))) {
      const [, , index, attempt, stepId = ""] = line.split(" ");
      attempts.set(Number(index), [...(attempts.get(Number(index)) ?? []), Number(attempt)]);
      ids.set(Number(index), (ids.get(Number(index)) ?? new Set()).add(stepId));
    }
    // The n-th commit has the result of step n - 1 and the creation of step n.
    const expected = new Map(Array.from({ length: 8 }, (_, index) => [index + 1, [1]]));
    if (when === "before" && k > 1) expected.set(k - 1, [1, 2]);
    // Created and counted, but not begun.
    if (when === "after" && k <= 8) expected.set(k, [2]);
    expect(attempts, `${when} commit ${k}`).toEqual(expected);
    for (const each of ids.values()) expect(each.size).toBe(1);
    expect(new Set([...ids.values()].flatMap((each) => [...each])).size).toBe(8);
  }
}, 120_000);
