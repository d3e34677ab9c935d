"""Demand per SKU and site: buckets in, forecasts with intervals out."""
