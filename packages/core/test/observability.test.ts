import { parseClassName, parseStepName, parseWorkflowName } from "@perdure/core/observability";
import { expect, it } from "vitest";

it("takes the compiler's ids apart", () => {
  expect(parseWorkflowName("workflow//./src/orders//processOrder")).toEqual({
    shortName: "processOrder",
    moduleSpecifier: "./src/orders",
    functionName: "processOrder",
  });
  expect(parseStepName("step//@acme/media@3/dist/encode//processOrder/chargeCard")).toEqual({
    shortName: "chargeCard",
    moduleSpecifier: "@acme/media@3/dist/encode",
    functionName: "processOrder/chargeCard",
  });
  expect(parseWorkflowName("workflow//./src/orders//default")?.shortName).toBe("orders");
  expect(parseClassName("class//./src/models//User")?.shortName).toBe("User");
});

it("gives null for other ids", () => {
  for (const id of [
    "charge",
    "step//./src/orders//charge",
    "workflow//./src/orders",
    "workflow//a//b//c",
    "",
  ]) {
    expect(parseWorkflowName(id), id).toBeNull();
  }
});
