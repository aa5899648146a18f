import { frameworks } from "../fixtures.ts";
import { testEach } from "../framework-tests.ts";

testEach(frameworks.filter(({ light }) => light));
