/** `perdure/testing`: Worlds in memory, time that a test moves, and clusters that are simulated, for tests of workflows. */
export * from "@perdure/core/testing";
export * from "@perdure/simulator";
