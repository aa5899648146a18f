import { sleep } from "@perdure/core";
import { decode } from "@perdure/core/testing";
import { LawBroken } from "../failure.ts";
import type { Kind, NodeKinds, Value } from "./kind.ts";
import { UNKNOWN } from "./outcomes.ts";
import { waitsOf } from "./wait.ts";

/** Time and randomness as the journal gives them. */

export const clockNodes: NodeKinds<"clock"> = {
  clock: { execute: async () => await clock(), gives: () => [UNKNOWN] },
};

async function clock(): Promise<Value> {
  const before = Date.now();
  await sleep(7);
  const passed = Date.now() - before;
  return `${passed >= 7 ? "later" : "too early"} ${new Date().toISOString()} ${Math.random()} ${crypto.randomUUID()}`;
}

export const clockKind: Kind = {
  laws: {
    ended({ row, fold }) {
      const isShortened = waitsOf(fold).stopped.size > 0;
      if (isShortened || JSON.stringify(decode(row.output))?.includes("too early") !== true) return;
      throw new LawBroken("expected result", "a sleep was shorter by the workflow's own clock", row.runId);
    },
  },
};
