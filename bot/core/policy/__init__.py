"""Policies: who must agree, what no plan may do, and why not. Rules are data; evaluating them is pure."""
