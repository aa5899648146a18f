import { workflow } from "@perdure/core";
import type { Arguments, Value } from "./kind.ts";

/** Workflows of which so many runs are executed at a time, or one only. */

/** What a start does that is one too many. */
export type OneTooMany = "queue" | "skip" | "cancel-oldest" | "singleton";

/** What their ids begin with. */
const LIMITED = "sim//limited ";

type Program = (...args: Arguments) => Promise<Value>;

/** @param execute interprets a program */
export function limitedWorkflows(execute: Program): Readonly<Record<OneTooMany, Program>> {
  const limited = (onLimit: "queue" | "skip" | "cancel-oldest", limit: number): Program =>
    workflow(`${LIMITED}${onLimit}`, (...args) => execute(...args), { concurrency: { limit, onLimit } });
  return {
    queue: limited("queue", 2),
    skip: limited("skip", 1),
    "cancel-oldest": limited("cancel-oldest", 1),
    singleton: workflow(`${LIMITED}singleton`, (...args) => execute(...args), {
      singleton: { mode: "cancel" },
    }),
  };
}

/** A newer run may take the place of one of this workflow. */
export function makesPlace({ workflow: id }: { readonly workflow: string }): boolean {
  return id === `${LIMITED}cancel-oldest` || id === `${LIMITED}singleton`;
}
