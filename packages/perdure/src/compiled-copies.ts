/** `perdure/compiled-copies`: what compiled modules import in builds that hold a module several times. Not for people. */
export * from "@perdure/core/compiled-copies";
