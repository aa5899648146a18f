import { sqliteWorld } from "@perdure/world-sqlite";
import { expect, test } from "vitest";
import { type Place, place } from "./process.ts";
import { CHILDREN } from "./processes/family.ts";

// `kill -9` of a worker between any two commits of a run.

interface Kill {
  readonly when: string;
  readonly k: number;
}

/** Starts a process for each, three at a time; gives how they ended. */
async function killed(here: Place, script: string, kills: readonly Kill[]): Promise<readonly unknown[]> {
  const ends: unknown[] = [];
  const waiting = [...kills];
  const next = async (): Promise<void> => {
    for (let kill = waiting.shift(); kill !== undefined; kill = waiting.shift()) {
      ends.push(await here.start(script, kill.when, kill.k).ended());
    }
  };
  await Promise.all([next(), next(), next()]);
  return ends;
}

test("kill -9 between any two commits of an 8-step run: every completed step's body ran once", async () => {
  const here = place();
  const kills = [
    ...Array.from({ length: 9 }, (_, index) => ({ when: "before", k: index + 1 })),
    ...[1, 2, 5, 8, 9].map((k) => ({ when: "after", k })),
  ];
  const ends = await killed(here, "kill-at-commit", kills);
  expect(new Set(ends)).toEqual(new Set(["SIGKILL"]));
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

test("kill -9 between any two commits of a parent with 20 children: each child once, each result once", async () => {
  const here = place();
  const whole = here.start("kill-family", "never", 0);
  expect(await whole.ended()).toBe(0);
  const commits = Number(whole.lines[0]?.split(" ")[0]);
  expect(commits).toBeGreaterThan(5);
  const kills = [
    ...Array.from({ length: commits }, (_, index) => ({ when: "before", k: index + 1 })),
    ...[1, Math.ceil(commits / 2)].map((k) => ({ when: "after", k })),
  ];
  // What is in one commit depends on what is ready at the time, so that the last numbers may not be reached.
  const ends = await killed(here, "kill-family", kills);
  expect(ends.filter((end) => end === "SIGKILL").length).toBeGreaterThan(commits / 2);
  const names = ["never 0", ...kills.map(({ when, k }) => `${when} ${k}`)];
  const finisher = here.start("finish-families", ...names);
  expect(await finisher.ended()).toBe(0);
  const all = Array.from({ length: CHILDREN }, (_, index) => index);
  expect(finisher.lines.toSorted()).toEqual(names.map((name) => `${name}: ${all}`).toSorted());

  const world = sqliteWorld({ path: here.database });
  await world.open();
  const ledger = here.ledger();
  for (const name of names) {
    const { runs } = await world.listRuns({ workflow: `child ${name}`, limit: 1_000 });
    expect(runs.map(({ status }) => status)).toEqual(all.map(() => "completed"));
    const [parent] = (await world.listRuns({ workflow: `parent ${name}`, limit: 10 })).runs;
    expect(new Set(runs.map(({ attributes }) => attributes.$parent))).toEqual(new Set([parent?.runId]));
    const journal = await world.listEvents(parent?.runId ?? "", 0, 1_000);
    const results = journal.filter(({ type }) => type === "system_step_completed").map(({ id }) => id);
    // The start and the end of each child.
    expect([results.length, new Set(results).size]).toEqual([2 * CHILDREN, 2 * CHILDREN]);
    for (const index of all) {
      const lines = ledger
        .filter((line) => line.startsWith(`${name} ${index} `))
        .map((line) => line.split(" "));
      // One that ran when its process was killed runs again, under the same id.
      expect(lines.length, `${name} ${index}`).toBeLessThanOrEqual(2);
      expect(new Set(lines.map(([, , , , stepId]) => stepId)).size).toBe(1);
    }
  }
  await world.close();
}, 120_000);
