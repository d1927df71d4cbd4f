local other = require("circle_b")
return { other }
