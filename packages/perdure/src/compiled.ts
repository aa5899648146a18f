/** `perdure/compiled`: what compiled modules import. Not for people. */
export * from "@perdure/core/compiled";
