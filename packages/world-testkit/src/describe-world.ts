import { describe, it } from "vitest";
import { CaseSkipped, type Law, runCase } from "./law.ts";
import { laws } from "./laws/index.ts";
import type { CreateTarget } from "./target.ts";

/** Options of {@link describeWorld}. */
export interface DescribeWorldOptions {
  /** The adapter's name, for the titles of the tests. */
  readonly name: string;
  /** Makes a new, empty store; called once for each test. */
  readonly create: CreateTarget;
  /** Names of the laws to test, for a World that keeps some of them on some servers only. Default: all. */
  readonly laws?: readonly string[];
  /** Milliseconds that one test may take. Default 60,000. */
  readonly timeout?: number;
}

/**
 * Declares the conformance suite of the World contract as vitest tests: one `describe` for each law, one store for
 * each test, invariants checked after each.
 */
export function describeWorld(options: DescribeWorldOptions): void {
  describe(`World ${options.name}`, () => {
    for (const name of options.laws ?? laws.map((law) => law.name)) {
      const law = laws.find((each) => each.name === name);
      if (law === undefined) throw new RangeError(`there is no law "${name}"`);
      describeLaw(law, options);
    }
  });
}

function describeLaw(law: Law, { create, timeout = 60_000 }: DescribeWorldOptions): void {
  describe(law.name, () => {
    for (const title of Object.keys(law.cases)) {
      it(title, { timeout }, async ({ skip }) => {
        try {
          await runCase(create, law, title);
        } catch (error) {
          if (!(error instanceof CaseSkipped)) throw error;
          skip(error.message);
        }
      });
    }
  });
}
