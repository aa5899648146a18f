/** `@perdure/vitest/test`: Vitest's `test`, with an environment of its own for each test. A config file cannot import it. */
import { type TestEnvironment, type TestEnvironmentOptions, testEnvironment } from "perdure/testing";
import { test as plainTest, type TestAPI } from "vitest";

/** Vitest's `test`, in which each test that asks for `t` has a {@link TestEnvironment} of its own. */
export type EnvironmentTest = TestAPI<{ t: TestEnvironment }>;

/**
 * {@link test} with options of the environment.
 *
 * @example
 * ```ts
 * import { expect } from "vitest";
 *
 * const test = testWith({ alwaysReplay: true });
 * test("a charge", async ({ t }) => {
 *   expect(await t.result(await start(chargeCustomer, ["cus_1", 4200]))).toBe("ch_1");
 * });
 * ```
 */
export function testWith(options: TestEnvironmentOptions = {}): EnvironmentTest {
  return plainTest.extend<{ t: TestEnvironment }>({
    // Vitest reads from the pattern what a fixture needs, and wants one.
    // biome-ignore lint/correctness/noEmptyPattern: as above.
    t: async ({}, use) => {
      await using environment = await testEnvironment(options);
      await use(environment);
    },
  });
}

/**
 * Vitest's `test`. A test that asks for `t` has a World in memory, a worker and virtual time of its own, on which `start` and the other
 * functions of `perdure/api` act; one that does not is as ever.
 *
 * @example
 * ```ts
 * import { expect } from "vitest";
 *
 * test("a charge", async ({ t }) => {
 *   t.stub(createCharge, async () => ({ id: "ch_1" }));
 *   expect(await t.result(await start(chargeCustomer, ["cus_1", 4200]))).toBe("ch_1");
 * });
 * ```
 */
export const test: EnvironmentTest = testWith();

export { test as it };
