import "./node-version.ts";
import { setDefaultWorld } from "@perdure/core/runtime";
import { sqliteWorld } from "@perdure/world-sqlite";

/** Without any configuration a program keeps its runs in `.perdure/perdure.db`, or in the file that PERDURE_SQLITE_PATH names. */
setDefaultWorld(() => {
  const path = process.env.PERDURE_SQLITE_PATH;
  return sqliteWorld(path === undefined ? {} : { path });
});
