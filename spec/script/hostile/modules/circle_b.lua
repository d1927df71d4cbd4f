local other = require("circle_a")
return { other }
