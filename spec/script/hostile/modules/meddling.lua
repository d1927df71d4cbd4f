-- Changes what the policy that requires it sees, and no other.
string.upper = nil
_G.type = nil
return {}
