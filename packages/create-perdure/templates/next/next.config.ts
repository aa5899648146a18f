import { withPerdure } from "perdure/next";

export default withPerdure({});
