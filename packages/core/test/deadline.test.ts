import { expect, it } from "vitest";
import { Overdue, within } from "../src/world/index.ts";

/** Adapters' calls have a deadline that counts only time in which this process could hear the answer. */

const never = () => new Promise<never>(() => {});

const later = () => new Promise<string>((resolve) => setTimeout(resolve, 20, "answer"));

function block(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

it("rejects with Overdue, or with what it is told to", async () => {
  await expect(within(10, never)).rejects.toThrow(new Overdue(10));
  await expect(within(10, never, () => new Error("the store is away"))).rejects.toThrow("the store is away");
});

it("gives an answer that came while this process computed for longer than the deadline", async () => {
  const answer = within(60, later);
  block(150);
  await expect(answer).resolves.toBe("answer");
});

it("rejects where the call fails at once, and does not end it later", async () => {
  const ended: unknown[] = [];
  const failing = within(
    10,
    () => {
      throw new Error("not connected");
    },
    (error) => ended.push(error),
  );
  await expect(failing).rejects.toThrow("not connected");
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect(ended).toEqual([]);
});
