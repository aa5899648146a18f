import * as main from "@perdure/world-postgres";
import * as keeper from "@perdure/world-postgres/keeper";
import { expect, test } from "vitest";

test("what this package exports", () => {
  expect(Object.keys(main).sort()).toEqual(["migratePostgres", "postgresWorld"]);
  expect(Object.keys(keeper)).toEqual(["openWorld"]);
});
