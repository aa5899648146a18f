import { AssertionError, deepEqual } from "node:assert/strict";
import { describe, it } from "vitest";
import { InvariantsBroken, laws, runLaw } from "../src/index.ts";
import type { Bug } from "./bugs/bug.ts";
import { clockBugs } from "./bugs/clock-bugs.ts";
import { commitBugs } from "./bugs/commit-bugs.ts";
import { endBugs } from "./bugs/end-bugs.ts";
import { interleavingBugs } from "./bugs/interleaving-bugs.ts";
import { joiningBugs } from "./bugs/joining-bugs.ts";
import { listingBugs } from "./bugs/listing-bugs.ts";
import { mailboxBugs } from "./bugs/mailbox-bugs.ts";
import { nameBugs } from "./bugs/name-bugs.ts";
import { nameStartBugs } from "./bugs/name-start-bugs.ts";
import { readBugs } from "./bugs/read-bugs.ts";
import { recordBugs } from "./bugs/record-bugs.ts";
import { restartBugs } from "./bugs/restart-bugs.ts";
import { scheduleBugs } from "./bugs/schedule-bugs.ts";
import { startBugs } from "./bugs/start-bugs.ts";
import { streamBugs } from "./bugs/stream-bugs.ts";
import { typeBugs } from "./bugs/type-bugs.ts";
import { memoryTarget } from "./memory-target.ts";

// Every law's file must be able to fail: a memory World that breaks the law turns that file red.

const bugs: readonly Bug[] = [
  ...startBugs,
  ...scheduleBugs,
  ...commitBugs,
  ...mailboxBugs,
  ...endBugs,
  ...joiningBugs,
  ...restartBugs,
  ...typeBugs,
  ...nameBugs,
  ...nameStartBugs,
  ...readBugs,
  ...listingBugs,
  ...recordBugs,
  ...clockBugs,
  ...streamBugs,
  ...interleavingBugs,
];

describe("planted bugs", () => {
  it("there is one for every law", () => {
    deepEqual(new Set(bugs.map(({ law }) => law)), new Set(laws.map(({ name }) => name)));
  });

  for (const { law: name, what, plant } of bugs) {
    it(`${name} finds: ${what}`, async () => {
      const law = laws.find((candidate) => candidate.name === name);
      if (law === undefined) throw new Error(`there is no law ${name}`);
      const create = () => memoryTarget((planted) => ({ ...planted.world, ...plant(planted) }));
      const found: unknown = await runLaw(create, law).catch((error: unknown) => error);
      // What else goes wrong tells of a plant that does not work, not of a law that finds it.
      const byLaw = found instanceof AssertionError || found instanceof InvariantsBroken;
      if (!byLaw) throw new Error("the law's own expectations do not find it", { cause: found });
    });
  }
});
