/** `perdure/testing`: a World in memory and a clock that a test moves. */
export * from "@perdure/core/testing";
