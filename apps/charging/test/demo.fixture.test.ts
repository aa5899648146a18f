// The demo from end to end, as a user runs it: real processes, real kills, and the verdict of the ledgers.

import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { demo, resultOf } from "./demo-process.ts";

describe("the demo", { timeout: 240_000 }, () => {
  it("charges every customer once, although workers are killed", async () => {
    const ended = await demo("--customers", "8", "--kills", "2", "--seed", "5", "--lease", "1000", "--json");
    const result = resultOf(ended);
    expect(result, ended.stderr).toMatchObject({
      world: "sqlite",
      customers: 8,
      charges: 8,
      duplicateCharges: 0,
      receipts: 8,
      duplicateReceipts: 0,
      lost: 0,
      kills: 2,
      diverged: 0,
      ok: true,
    });
    expect(result.attempts).toBeGreaterThan(2 * 8);
    expect(result.replayedAnswers).toBeGreaterThan(0);
    expect(ended.code).toBe(0);
    const dir = /output: (\S+)/.exec(ended.stderr)?.[1] ?? "";
    expect(dir).toContain("perdure-charging-");
    expect(existsSync(dir)).toBe(false);
  });

  it("charges every customer once with the official Stripe client", async () => {
    const ended = await demo(
      "--client",
      "stripe",
      "--customers",
      "6",
      "--kills",
      "1",
      "--lease",
      "1000",
      "--json",
    );
    expect(resultOf(ended), ended.stderr).toMatchObject({
      charges: 6,
      receipts: 6,
      lost: 0,
      kills: 1,
      ok: true,
    });
  });

  it("shows the duplicates that come of sending no keys, and fails", async () => {
    const ended = await demo(
      "--without-keys",
      "--customers",
      "8",
      "--kills",
      "2",
      "--lease",
      "1000",
      "--json",
    );
    const result = resultOf(ended);
    expect(result.ok).toBe(false);
    expect(result.duplicateCharges).toBeGreaterThan(0);
    expect(result.lost).toBe(0);
    expect(ended.code).toBe(1);
  });

  it("takes the verdict when its time is up, and ends", async () => {
    const ended = await demo(
      "--customers",
      "50",
      "--kills",
      "0",
      "--concurrency",
      "1",
      "--timeout",
      "1",
      "--json",
    );
    const result = resultOf(ended);
    expect(result.ok).toBe(false);
    expect(result.lost).toBeGreaterThan(0);
    expect(ended.stderr).toContain("not finished in time");
    expect(ended.code).toBe(1);
  });

  it("says what is wrong with a flag", async () => {
    const cases: [string[], string][] = [
      [["--customers", "none"], "'--customers <n>' argument 'none' is invalid. It must be a whole number"],
      [["--world", "tape"], "Allowed choices are sqlite"],
      [["--customers", "2", "--kills", "3"], "--kills 3 needs at least as many customers"],
      [["--without-keys", "--client", "stripe"], "--without-keys goes with --client fetch"],
      [["--duplicate-requests", "2"], "It must be a share from 0 to 1"],
      [["--clients", "8", "--client", "stripe"], "leave --client and --without-keys out"],
    ];
    const check = async ([flags, message]: (typeof cases)[number]): Promise<void> => {
      const ended = await demo(...flags);
      expect(ended.stderr).toContain(message);
      expect(ended.code).toBe(1);
    };
    await Promise.all(cases.map(check));
  });
});
