import { expect, it } from "vitest";
import { type Fault, seededFaults } from "../src/servers/faults.ts";

const customers = Array.from({ length: 300 }, (_, i) => `cus_${i}`);

function faultsOf(seed: number, server: "payment" | "receipts"): Fault[] {
  const plan = seededFaults(seed, server);
  return customers.flatMap((customer) => [1, 2, 3, 4].map((n) => plan(customer, n)));
}

it("means the same faults for a seed, in whatever order they are asked", () => {
  const plan = seededFaults(7, "payment");
  const backwards = [...customers]
    .reverse()
    .flatMap((customer) => [4, 3, 2, 1].map((n) => plan(customer, n)));
  expect(backwards.reverse()).toEqual(faultsOf(7, "payment"));
});

it("means other faults for another seed or server", () => {
  expect(faultsOf(8, "payment")).not.toEqual(faultsOf(7, "payment"));
  expect(faultsOf(7, "receipts")).not.toEqual(faultsOf(7, "payment"));
});

it("leaves a customer's third request alone, so that a step's four attempts are enough", () => {
  for (const server of ["payment", "receipts"] as const) {
    const plan = seededFaults(1, server);
    expect(customers.some((customer) => plan(customer, 2).kind !== "none")).toBe(true);
    expect(customers.every((customer) => plan(customer, 3).kind === "none")).toBe(true);
  }
});

it("injects every kind a server has, and no error status at the receipts server", () => {
  const kinds = (server: "payment" | "receipts") =>
    [...new Set(faultsOf(1, server).map((fault) => fault.kind))].sort();
  expect(kinds("payment")).toEqual(["none", "rate_limited", "reset", "server_error", "slow"]);
  expect(kinds("receipts")).toEqual(["none", "reset", "slow"]);
});
