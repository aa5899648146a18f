import * as main from "@perdure/world-postgres";
import { expect, test } from "vitest";

test("what this package exports", () => {
  expect(Object.keys(main).sort()).toEqual(["migratePostgres", "postgresWorld"]);
});
