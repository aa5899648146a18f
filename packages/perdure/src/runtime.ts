/** `perdure/runtime`: Worlds and workers of a process. */
import "./default-world.ts";

export * from "@perdure/core/runtime";
export { type SqliteWorldOptions, sqliteWorld } from "@perdure/world-sqlite";
export { defineConfig, type PerdureConfig } from "./config.ts";
