// The demo through its HTTP API, from end to end: clients that send twice, kills of workers and of API servers.

import { describe, expect, it } from "vitest";
import { demo, resultOf } from "./demo-process.ts";

describe("the demo through its API", { timeout: 240_000 }, () => {
  it("charges every customer once through the API, although half of the requests are sent twice and API servers are killed", async () => {
    const ended = await demo(
      ...["--clients", "4", "--duplicate-requests", "0.5", "--customers", "8", "--kills", "2"],
      ...["--lease", "1000", "--json"],
    );
    const result = resultOf(ended);
    expect(result, ended.stderr).toMatchObject({
      ...{ customers: 8, charges: 8, duplicateCharges: 0, receipts: 8, duplicateReceipts: 0, lost: 0 },
      ...{ refunds: 2, duplicateRefunds: 0, unequalAnswers: 0, kills: 2, apiKills: 1, diverged: 0, ok: true },
    });
    expect(result.duplicateRequests).toBeGreaterThanOrEqual(4);
    expect(ended.code).toBe(0);
  });

  it("shows the duplicates of an API that checks and then acts, and fails", async () => {
    const ended = await demo(
      "--naive",
      "--clients",
      "4",
      "--customers",
      "6",
      "--kills",
      "0",
      "--faults",
      "off",
    );
    expect(ended.stdout).toMatch(
      /Expected duplicates found: [1-6] of 6 customers were charged more than once/,
    );
    expect(ended.code).toBe(1);
  });
});
