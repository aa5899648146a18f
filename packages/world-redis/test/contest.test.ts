import { expect, it } from "vitest";
import { Contest } from "../src/contest.ts";

const names = ["b", "a", "c"].map((name) => ({ runId: "run-1", name }));

it("a run asks for all its names at once, and one by one in their order once it has met another", () => {
  const contest = new Contest();
  expect(contest.turnsOf(names)).toEqual([names]);
  expect(contest.isTangled(names)).toBe(true);
  expect(contest.turnsOf(names).map((turn) => turn.map(({ name }) => name))).toEqual([["a"], ["b"], ["c"]]);
  // From now on it has only names before the one for which it waits: it need not give them back.
  expect(contest.isTangled(names)).toBe(false);
  expect(contest.turnsOf([{ runId: "run-2", name: "a" }])).toEqual([[{ runId: "run-2", name: "a" }]]);
});

it("a run with one name has nothing to give back", () => {
  expect(new Contest().isTangled(names.slice(0, 1))).toBe(false);
});

it("each claim has its chances", () => {
  const contest = new Contest();
  const [one, other] = [Buffer.from("one"), Buffer.from("other")];
  const meet = (chain: Buffer) => Array.from({ length: 9 }, () => contest.isOver("a", chain));
  expect(meet(one)).toEqual([...Array(8).fill(false), true]);
  expect(meet(other)).toEqual([...Array(8).fill(false), true]);
});
